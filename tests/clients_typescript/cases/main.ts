import "./behalf.js";
import "./check.js";
import "./express.js";
import "./hono.js";
import "./metering.js";
import "./outages.js";
import "./webhooks.js";
