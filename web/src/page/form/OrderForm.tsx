import { useRef, useState, type FormEvent } from "react";

import { ApiProblem, ApiUnreachable, sentenceOf } from "../../api/problem";
import type { Order, OrderType, Side, TimeInForce } from "../../api/types";
import { useAccount } from "../../hooks/useAccount";
import { useInstruments } from "../../hooks/useInstruments";
import { usePlaceOrder } from "../../hooks/usePlaceOrder";
import { quantity, words } from "../format";
import { Button } from "../parts/Button";
import { SelectField } from "../parts/SelectField";
import { DecimalField } from "../parts/TextField";
import { bodyOf, hasPrice, hasStopPrice, type Draft, type DraftField } from "./draft";
import { EstimateLine } from "./EstimateLine";
import { estimateOf } from "./estimate";
import { SymbolField } from "./SymbolField";
import { useDraft } from "./useDraft";

const SIDES: ReadonlyArray<readonly [Side, string]> = [
  ["BUY", "Buy"],
  ["SELL", "Sell"],
];
const TYPES: ReadonlyArray<readonly [OrderType, string]> = [
  ["MARKET", "Market"],
  ["LIMIT", "Limit"],
  ["STOP", "Stop"],
  ["STOP_LIMIT", "Stop limit"],
];
const TIMES: ReadonlyArray<readonly [TimeInForce, string]> = [
  ["DAY", "Day"],
  ["GTC", "Until cancelled"],
  ["IOC", "Immediate or cancel"],
  ["FOK", "All or nothing, at once"],
];

/** Writes an order, checks it while it is written, and places it once for each click. */
export function OrderForm() {
  const instruments = useInstruments().data;
  const account = useAccount().data;
  const { draft, errors, shown, change, leave, next } = useDraft(instruments);
  const place = usePlaceOrder();
  const [placed, setPlaced] = useState<Order | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const instrument = instruments?.find(({ symbol }) => symbol === draft.symbol);
  const estimate = estimateOf(draft, instrument, account);

  const edit = (changes: Partial<Draft>) => {
    change(changes);
    place.clear();
  };
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setPlaced(null);
    leave(...(Object.keys(draft) as DraftField[]));
    if (Object.keys(errors).length > 0) {
      // Once the fields have been marked, the first of them is where to go on.
      requestAnimationFrame(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
      return;
    }
    const order = await place.run(bodyOf(draft));
    if (order) {
      setPlaced(order);
      next();
    }
    // The button was disabled meanwhile, which takes the focus away: on with the next order, or with this one again.
    const goOn = order ? "[data-next]" : "[type=submit]";
    requestAnimationFrame(() => form.current?.querySelector<HTMLElement>(goOn)?.focus());
  };

  const refused = (field: DraftField) => (place.error instanceof ApiProblem ? place.error.messageFor(`/${field}`) : null);
  const fieldOf = (field: DraftField) => ({
    value: draft[field],
    error: shown[field] ?? refused(field),
    onChange: (value: string) => edit({ [field]: value }),
    onBlur: () => draft[field] !== "" && leave(field),
  });
  return (
    <form ref={form} className="card order-form" onSubmit={submit} noValidate aria-labelledby="order-form-title">
      <h2 id="order-form-title">New order</h2>
      <SymbolField {...fieldOf("symbol")} instruments={instruments} onChange={(symbol) => edit({ symbol })} />
      <div className="pair">
        <SelectField
          label="Side"
          className={draft.side === "BUY" ? "buy" : "sell"}
          value={draft.side}
          options={SIDES}
          onChange={(side) => edit({ side })}
        />
        <DecimalField label="Quantity" {...fieldOf("quantity")} placeholder="0" data-next />
      </div>
      <div className="pair">
        <SelectField label="Order type" value={draft.order_type} options={TYPES} onChange={(order_type) => edit({ order_type })} />
        <SelectField
          label="Time in force"
          value={draft.time_in_force}
          options={TIMES}
          onChange={(time_in_force) => edit({ time_in_force })}
        />
      </div>
      {draft.order_type !== "MARKET" && (
        <div className="pair">
          {hasStopPrice(draft.order_type) && <DecimalField label="Stop price" {...fieldOf("stop_price")} placeholder="0.00" />}
          {hasPrice(draft.order_type) && <DecimalField label="Price" {...fieldOf("price")} placeholder="0.00" />}
        </div>
      )}
      {draft.side === "BUY" && (
        <div className="pair">
          <DecimalField label="Stop loss" {...fieldOf("stop_loss")} placeholder="None" />
          <DecimalField label="Take profit" {...fieldOf("take_profit")} placeholder="None" />
        </div>
      )}
      <EstimateLine side={draft.side} estimate={estimate} available={account?.available} />
      <Button
        kind="primary"
        type="submit"
        isBusy={place.isRunning}
        // The second click of a double click is none, also when the first one has been answered by then.
        onClick={(event) => event.detail > 1 && event.preventDefault()}
      >
        Place order
      </Button>
      <div className="outcome" role="status">
        {placed && (
          <p className="success">
            Placed: {words(placed.side)} {quantity(placed.quantity)} {placed.symbol}
          </p>
        )}
      </div>
      {place.error !== undefined && (
        <p className="notice" role="alert">
          {sentenceOf(place.error)}
          {place.error instanceof ApiUnreachable &&
            ". The order may or may not have arrived: place it again, unchanged, and it is placed once."}
        </p>
      )}
    </form>
  );
}
