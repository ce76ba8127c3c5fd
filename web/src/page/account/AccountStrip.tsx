import { sentenceOf } from "../../api/problem";
import { add, exactly, ZERO } from "../../decimal";
import { useAccount } from "../../hooks/useAccount";
import { change, money, tone } from "../format";
import { ErrorState } from "../parts/States";
import { Positions } from "./Positions";

/** What there is to trade with, and what came of it. */
export function AccountStrip() {
  const { data: account, error, mutate } = useAccount();
  if (!account && error) {
    return (
      <section className="card" aria-label="Account">
        <ErrorState sentence={sentenceOf(error)} onRetry={() => void mutate()} />
      </section>
    );
  }
  const worth = account?.positions.reduce(
    (sum, position) => add(add(sum, exactly(position.realised_pnl)), exactly(position.unrealised_pnl ?? "0")),
    ZERO,
  );
  return (
    <section className="card account" aria-label="Account">
      <dl className="figures">
        <Figure name="Cash" value={account && money(account.cash)} />
        <Figure name="Reserved" value={account && money(account.reserved)} />
        <Figure name="Buying power" value={account && money(account.available)} isMain />
        <Figure name="P&L" value={worth && change(worth)} tone={worth && tone(worth)} />
      </dl>
      {account && <Positions positions={account.positions} />}
    </section>
  );
}

interface FigureProps {
  readonly name: string;
  readonly value: string | undefined;
  readonly isMain?: boolean;
  readonly tone?: string | undefined;
}

function Figure({ name, value, isMain, tone: colour }: FigureProps) {
  return (
    <div className={isMain ? "figure main" : "figure"}>
      <dt>{name}</dt>
      <dd className={`number ${colour ?? ""}`}>{value ?? "–"}</dd>
    </div>
  );
}
