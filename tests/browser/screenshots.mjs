// Pictures of all pages of console and portal: see scripts/screenshots.
import { readFileSync } from "node:fs";
import { browser, open, picture, signIn } from "./lib.mjs";

const said = readFileSync(process.env.AUDITFERRY_SAID, "utf8");
const token = /token (afo_\S+)/.exec(said)[1];
const link = /\S+\/portal\/enter#\S+/.exec(said)[0];
const base = new URL(link).origin;

const ACME = "/console/accounts/acme%20corp";
const BROKEN = "/console/accounts/borealis";
const CONSOLE = [
  "/console", "/console/accounts", ACME, BROKEN, `${ACME}/pause`, `${BROKEN}/rewind`, `${BROKEN}/add-on`, `${ACME}/replay`,
  `${ACME}/jobs`, `${ACME}/portal`, `${ACME}/portal/new`, "/console/deliveries", "/console/changes", "/console/replays",
  "/console/notifications", "/console/notifications/new/webhook", "/console/tokens", "/console/tokens/new",
  "/console/sessions", "/console/system", "/console/nothing",
];
const PORTAL = [
  "/portal/logs", "/portal/logs?text=nothing-is-like-that", "/portal/downloads", "/portal/downloads/new", "/portal/export",
  "/portal/export/setup?cloud=s3&how=role", "/portal/export/setup?cloud=gcs", "/portal/export/setup?cloud=azure", "/portal/nothing",
];
const LOOKS = [["light", 1440, "en"], ["dark", 1440, "en"], ["light", 320, "de"]];

const name = (path) => path.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "");
const chromium = await browser();
let portal;
for (const [theme, width, locale] of LOOKS) {
  const page = await open(chromium, { theme, width, locale });
  await signIn(page, base, token);
  for (const path of CONSOLE) {
    await page.goto(base + path);
    await picture(page, `${name(path)}-${theme}-${width}-${locale}`);
  }
  const customer = await open(chromium, { theme, width, locale, ...(portal ? { storageState: portal } : {}) });
  if (!portal) {
    await customer.goto(link);
    await picture(customer, "portal-enter");
    await customer.getByRole("button", { name: "Open" }).click();
    await customer.waitForURL(/\/portal\/(?!enter)/);
    portal = await customer.context().storageState();
  }
  for (const path of PORTAL) {
    await customer.goto(base + path);
    await picture(customer, `${name(path)}-${theme}-${width}-${locale}`);
  }
  await customer.goto(`${base}/portal/logs`);
  await customer.locator("tbody a").first().click();
  await customer.locator("#record").waitFor();
  await picture(customer, `portal-record-${theme}-${width}-${locale}`);
}
await chromium.close();
