import type { components, operations } from "./schema";

type Schemas = components["schemas"];

export type Account = Schemas["AccountView"];
export type EventsPage = Schemas["EventsPage"];
export type Fill = Schemas["FillView"];
export type Flag = Schemas["Flag"];
export type Instrument = Schemas["InstrumentView"];
export type Order = Schemas["OrderView"];
export type OrderBody = Schemas["OrderBody"];
export type OrderType = Schemas["OrderType"];
export type OrdersPage = Schemas["OrdersPage"];
export type OrdersQuery = NonNullable<operations["list_orders"]["parameters"]["query"]>;
export type Position = Schemas["PositionView"];
export type Problem = Schemas["ProblemView"];
export type RecordedEvent = Schemas["EventView"];
export type ReplaceBody = Schemas["ReplaceBody"];
export type Side = Schemas["Side"];
export type Status = Schemas["Status"];
export type Ticket = Schemas["TicketView"];
export type TimeInForce = Schemas["TimeInForce"];
