import type { ButtonHTMLAttributes } from "react";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly kind?: "primary" | "plain" | "danger";
  /** Something that it started is under way. */
  readonly isBusy?: boolean;
}

export function Button({ kind = "plain", isBusy = false, type = "button", children, disabled, ...rest }: Props) {
  return (
    // oxlint-disable-next-line react/button-has-type -- it has one, and `button` where none is given
    <button {...rest} type={type} className={`button ${kind}`} disabled={disabled || isBusy} aria-busy={isBusy}>
      {children}
    </button>
  );
}
