import type { RecordedEvent } from "../../api/types";
import { moment } from "../format";
import { detailOf } from "../orders/Timeline";

const ORDER = /^order-(.+)$/;

interface Props {
  readonly events: readonly RecordedEvent[];
  readonly onOrder: (id: string) => void;
}

export function EventTable({ events, onOrder }: Props) {
  return (
    <div className="table-frame">
      <table className="compact events">
        <thead>
          <tr>
            <th scope="col" className="number">
              Position
            </th>
            <th scope="col" className="number">
              Recorded
            </th>
            <th scope="col">Event</th>
            <th scope="col">Trader</th>
            <th scope="col">Actor</th>
            <th scope="col">Detail</th>
            <th scope="col">Stream</th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => {
            const orderId = ORDER.exec(event.stream_id)?.[1];
            return (
              <tr key={event.position}>
                <td className="number c-position">{event.position}</td>
                <td className="muted number c-recorded">{moment(event.recorded_at)}</td>
                <td className="c-event">{event.type}</td>
                <td>{event.metadata.trader_id}</td>
                <td className="muted">{event.metadata.actor}</td>
                <td>{detailOf(event)}</td>
                <td className="c-stream">
                  {orderId ? (
                    <button type="button" className="link" onClick={() => onOrder(orderId)} title="The order's history">
                      {orderId.slice(0, 8)} · {event.version}
                    </button>
                  ) : (
                    `${event.stream_id} · ${event.version}`
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
