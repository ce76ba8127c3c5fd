import { useId, useState, type KeyboardEvent } from "react";

import type { Instrument } from "../../api/types";
import { Field } from "../parts/Field";
import { price } from "../format";
import { gridText } from "./grid";

const SHOWN_MAX = 8;

interface Props {
  readonly value: string;
  readonly instruments: readonly Instrument[] | undefined;
  readonly error: string | null | undefined;
  readonly onChange: (symbol: string) => void;
  readonly onBlur: () => void;
}

/** A combobox over what the venue trades: found by symbol or name, chosen by mouse or keyboard. */
export function SymbolField({ value, instruments, error, onChange, onBlur }: Props) {
  const list = useId();
  const [isOpen, setIsOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const found = isOpen ? matching(instruments ?? [], value) : [];
  const chosen = instruments?.find(({ symbol }) => symbol === value);

  const choose = (instrument: Instrument) => {
    onChange(instrument.symbol);
    setIsOpen(false);
    setActive(-1);
  };
  const move = (step: number) => {
    setIsOpen(true);
    setActive((at) => (found.length === 0 ? -1 : (at + step + found.length + Number(at < 0 && step < 0)) % found.length));
  };
  const press = (event: KeyboardEvent) => {
    const picked = found[active];
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Enter" && picked) choose(picked);
    else if (event.key === "Escape" && isOpen) setIsOpen(false);
    else return;
    event.preventDefault();
  };
  return (
    <div className="combobox">
      <Field
        label="Symbol"
        error={error}
        // There is always something in this line: a click that leaves the field must find the button where it was.
        hint={chosen ? saidOf(chosen) : "By symbol or name"}
      >
        {(ids) => (
          <input
            {...ids}
            role="combobox"
            aria-expanded={found.length > 0}
            aria-controls={list}
            aria-autocomplete="list"
            aria-activedescendant={active >= 0 && found[active] ? `${list}-${active}` : undefined}
            autoComplete="off"
            autoCapitalize="characters"
            spellCheck={false}
            placeholder="AAPL"
            value={value}
            onChange={(event) => {
              onChange(event.target.value.toUpperCase());
              setIsOpen(true);
              setActive(-1);
            }}
            onKeyDown={press}
            onBlur={() => {
              setIsOpen(false);
              onBlur();
            }}
          />
        )}
      </Field>
      <div id={list} className="choices" role="listbox" aria-label="Instruments" hidden={found.length === 0}>
        {found.map((instrument, index) => (
          // oxlint-disable-next-line jsx-a11y/click-events-have-key-events -- keys are taken by the field, which keeps the focus
          <div
            key={instrument.symbol}
            id={`${list}-${index}`}
            role="option"
            aria-selected={index === active}
            tabIndex={-1}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => choose(instrument)}
          >
            <strong>{instrument.symbol}</strong>
            <span>{instrument.name}</span>
            <span className="number">{price(instrument.reference_price)}</span>
          </div>
        ))}
      </div>
    </div>
  );
}

/** `Apple Inc. · last 190.00 · ticks of 0.01` */
function saidOf(instrument: Instrument): string {
  const last = instrument.reference_price && `last ${price(instrument.reference_price)}`;
  return [instrument.name, last, gridText(instrument)].filter(Boolean).join(" · ");
}

/** Symbols that begin like it come first, then names that contain it. */
function matching(instruments: readonly Instrument[], text: string): Instrument[] {
  const wanted = text.trim().toUpperCase();
  const begins = instruments.filter(({ symbol }) => symbol.startsWith(wanted));
  const contains = instruments.filter(
    (each) => !begins.includes(each) && (each.name.toUpperCase().includes(wanted) || each.symbol.includes(wanted)),
  );
  return [...begins, ...contains].slice(0, SHOWN_MAX);
}
