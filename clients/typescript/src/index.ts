/** ragauth, asked by your services: keys are checked, use is counted, customers' keys are kept. */

export { byExternalId, Client } from "./client.js";
export type { CallOptions, ClientOptions, PostOptions } from "./client.js";
export * from "./errors.js";
export { presentedIn, verdictOf } from "./gate.js";
export type { Presented } from "./gate.js";
export type { components, operations, paths } from "./openapi.js";
export { Reservation } from "./reservation.js";
export type * from "./types.js";
export { refusal } from "./verdicts.js";
export { VERSION } from "./version.js";
