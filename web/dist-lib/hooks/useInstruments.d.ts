import { type SWRResponse } from "swr";
import type { Instrument } from "../api/types";
/** What the venue trades, with reference prices that are a few seconds old at most. */
export declare function useInstruments(): SWRResponse<Instrument[], Error>;
