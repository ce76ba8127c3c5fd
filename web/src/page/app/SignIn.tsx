import { useState, type FormEvent } from "react";

import { Button } from "../parts/Button";
import { TextField } from "../parts/TextField";
import { keepToken, type Bearer } from "./token";

interface Props {
  /** Why a token is needed again. */
  readonly notice: string | null;
  readonly onSignIn: (bearer: Bearer) => void;
}

export function SignIn({ notice, onSignIn }: Props) {
  const [text, setText] = useState("");
  const [error, setError] = useState<string | null>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const bearer = keepToken(text);
    if (bearer) onSignIn(bearer);
    else setError(text.trim() === "" ? "Paste a token first" : "This is no token: it has three parts with dots between them");
  };
  return (
    <main className="sign-in">
      <form className="card" onSubmit={submit} noValidate>
        <h1>Order Execution</h1>
        <p className="muted">Submit market/limit orders with real-time status updates</p>
        {notice && (
          <p className="notice" role="alert">
            {notice}
          </p>
        )}
        <TextField
          label="Token"
          value={text}
          onChange={(value) => {
            setText(value);
            setError(null);
          }}
          error={error}
          hint={
            <>
              <code>make run</code> prints one, and <code>orderlog token --trader NAME</code> makes one. It is kept for this
              tab only.
            </>
          }
          autoFocus
          spellCheck={false}
          autoComplete="off"
        />
        <Button kind="primary" type="submit">
          Continue
        </Button>
      </form>
    </main>
  );
}
