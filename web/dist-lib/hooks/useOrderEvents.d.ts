import { type SWRResponse } from "swr";
import type { Order, RecordedEvent } from "../api/types";
/** Everything that was recorded of an order, oldest first; asked for again whenever there is more of it. */
export declare function useOrderEvents(order: Order): SWRResponse<RecordedEvent[], Error>;
