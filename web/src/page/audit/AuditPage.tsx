import { useState } from "react";

import type { OrdersClient } from "../../api/client";
import { Checkpoint } from "./Checkpoint";
import { LogSearch } from "./LogSearch";
import { OrderHistory } from "./OrderHistory";

/** The log as it is: what is in it, what an order was at any point, and whether anybody has changed it. */
export default function AuditPage({ client }: { readonly client: OrdersClient }) {
  const [orderId, setOrderId] = useState<string | null>(null);
  return (
    <div className="audit-page">
      <Checkpoint client={client} />
      <LogSearch client={client} onOrder={setOrderId} />
      {orderId && <OrderHistory key={orderId} client={client} orderId={orderId} onClose={() => setOrderId(null)} />}
    </div>
  );
}
