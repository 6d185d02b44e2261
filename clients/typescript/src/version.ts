/** The version of this client, which is released apart from ragauth. */
export const VERSION = "0.1.0";
