import { type SWRResponse } from "swr";
import type { Account } from "../api/types";
/** Cash, what of it is reserved, and positions: asked for again when an order has changed them, or prices may have. */
export declare function useAccount(): SWRResponse<Account, Error>;
