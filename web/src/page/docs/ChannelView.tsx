import { nameOf, type AsyncApi, type Channel } from "./documents";
import { Prose } from "./Prose";
import { SchemaView } from "./SchemaView";

interface Props {
  readonly name: string;
  readonly channel: Channel;
  readonly document: AsyncApi;
}

/** A stream: how it is opened, every message that it sends, and how it ends. */
export function ChannelView({ name, channel, document }: Props) {
  const { schemas, messages } = document.components;
  const operation = Object.values(document.operations).find((each) => nameOf(each.channel.$ref) === name);
  const query = channel.bindings?.ws.query ?? operation?.bindings?.http.query;
  const closes = channel["x-close-codes"];
  return (
    <details className="card operation" id={name} data-channel={channel.address}>
      <summary>
        <span className="method stream">{channel.bindings ? "WS" : "SSE"}</span>
        <code>{channel.address}</code>
        <span className="operation-summary">{operation?.summary}</span>
      </summary>
      <p>
        <Prose text={channel.description} />
      </p>
      {query && (
        <>
          <h3>Parameters</h3>
          <SchemaView schema={query} schemas={schemas} isAsked />
        </>
      )}
      <h3>Messages</h3>
      {Object.values(channel.messages).map(({ $ref }) => {
        const message = messages[nameOf($ref)];
        return (
          message && (
            <details key={message.name} className="message" data-message={message.name}>
              <summary>
                <code className="field-name">{message.name}</code>{" "}
                <span className="muted">
                  <Prose text={message.summary} />
                </span>
              </summary>
              <SchemaView schema={message.payload} schemas={schemas} />
            </details>
          )
        );
      })}
      {closes && (
        <>
          <h3>Close codes</h3>
          <ul className="fields">
            {closes.map(({ code, reason, resumable }) => (
              <li key={code}>
                <span className="number">{code}</span> <Prose text={reason} /> {resumable && <span className="tag good">goes on</span>}
              </li>
            ))}
          </ul>
        </>
      )}
    </details>
  );
}
