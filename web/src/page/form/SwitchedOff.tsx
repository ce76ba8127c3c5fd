import { Button } from "../parts/Button";

interface Props {
  /** It is off for everybody, not only for this trader. */
  readonly isForAll: boolean;
}

/** In the place of the form, for those whose new orders are not taken. */
export function SwitchedOff({ isForAll }: Props) {
  return (
    <section className="card state" aria-labelledby="off-title">
      <h2 id="off-title">{isForAll ? "New orders are switched off" : "Not switched on for you yet"}</h2>
      <p className="muted">
        {isForAll
          ? "Nobody can place orders at the moment. Those that work go on working, and can be cancelled and replaced."
          : "Order execution is being opened to traders step by step, and your turn has not come. Until then, place orders where you did before."}
      </p>
      <Button kind="primary" onClick={() => history.back()}>
        Go back
      </Button>
    </section>
  );
}
