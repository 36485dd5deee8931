// What the journeys share: a browser, its windows, and what every page must be.
import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

const require = createRequire(`${process.env.AUDITFERRY_TEST_TOOLS}/browser/`);
const { chromium } = require("playwright-core");
const { default: AxeBuilder } = require("@axe-core/playwright");

const SWITCHES = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** Debian's Chromium. `more`: switches besides. */
export async function browser(more = []) {
  return chromium.launch({ executablePath: "/usr/bin/chromium", args: [...SWITCHES, ...more], timeout: 60_000 });
}

/** A window that remembers what its pages complained of. */
export async function open(browser, { width = 1440, height = 900, theme = "light", script = true, locale = "en-GB", ...more } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: theme, javaScriptEnabled: script, locale, ignoreHTTPSErrors: true, reducedMotion: "reduce", ...more,
  });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  page.complaints = [];
  page.scripted = script;
  page.on("console", (message) => {
    // An answer that says what is wrong has a status; that is no fault of a page.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) page.complaints.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  return page;
}

export function assert(holds, words) {
  if (!holds) throw new Error(words);
}

/** What every page must be: nothing that axe finds, no sideways scrolling, no complaint of the browser. */
export async function sound(page, name) {
  // axe is a script: without any, the same page was looked at before.
  if (page.scripted) {
    const found = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
    const said = found.violations.map((one) => `${one.id}: ${one.help}\n    ${one.nodes.map((node) => `${node.target}: ${node.html}`).join("\n    ")}`);
    assert(said.length === 0, `${name}: axe finds\n  ${said.join("\n  ")}`);
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert(wide <= 0, `${name}: ${wide} px wider than its window`);
  assert(page.complaints.length === 0, `${name}: the browser complains: ${page.complaints.join("; ")}`);
}

/** Keeps a picture, where pictures are wanted: of the whole page, or of what the window shows. */
export async function picture(page, name, fullPage = true) {
  const folder = process.env.AUDITFERRY_PICTURES;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage });
}

/** Signs in to the console with a token. */
export async function signIn(page, base, token) {
  await page.goto(`${base}/console`);
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: /Sign in|Anmelden/ }).last().click();
  await page.waitForURL(/\/console/);
}
