// The console in a browser, on what `auditferry demo --serve` shows: every page in both languages, light and dark, wide
// and narrow, without script; and what support does with it.
import { assert, browser, open, picture, signIn, sound } from "./lib.mjs";

const { base, token } = JSON.parse(process.env.AUDITFERRY_JOURNEY);
const ACME = "/console/accounts/acme%20corp";
const BROKEN = "/console/accounts/borealis";
const PAGES = [
  "/console", "/console/accounts", "/console/accounts?health=failing", "/console/accounts?text=nobody-is-called-so",
  ACME, BROKEN, "/console/accounts/kestrel-air",
  `${BROKEN}/pause`, `${BROKEN}/resume`, `${BROKEN}/release`, `${BROKEN}/deliver-now`, `${BROKEN}/rewind`, `${BROKEN}/skip`,
  `${BROKEN}/add-on`, `${BROKEN}/replay`, `${BROKEN}/jobs`, `${BROKEN}/portal`, `${BROKEN}/portal/new`,
  "/console/deliveries", "/console/deliveries?open=1", "/console/changes", "/console/replays", "/console/notifications",
  "/console/notifications/new/email", "/console/notifications/new/slack", "/console/notifications/new/webhook",
  "/console/tokens", "/console/tokens/new", "/console/sessions", "/console/system", "/console/nothing-is-here",
];

const name = (path) => path.replace(/^\/console\/?/, "console-").replace(/[^a-z0-9]+/gi, "-").replace(/-$/, "");
const chromium = await browser();

async function looks({ theme, width, language, script = true, pages = PAGES }) {
  const page = await open(chromium, { theme, width, locale: language, script });
  await signIn(page, base, token);
  assert((await page.getAttribute("html", "lang")) === language, `the pages do not speak ${language}`);
  for (const path of pages) {
    await page.goto(base + path);
    const called = `${name(path)}-${theme}-${width}-${language}${script ? "" : "-no-script"}`;
    await sound(page, called);
    await picture(page, called);
  }
  await page.context().close();
}

/** Fills a form in and presses its button, the one way for everybody. */
async function does(page, path, fill, button) {
  await page.goto(base + path);
  await fill();
  await page.getByRole("button", { name: button, exact: true }).click();
}

async function support({ script }) {
  const page = await open(chromium, { script });
  await signIn(page, base, token);
  await does(page, `${ACME}/pause`, () => page.getByLabel("Reason").fill("customer moves the bucket"), "Pause it");
  await page.getByText("Nothing starts until somebody resumes it.").waitFor();
  await sound(page, "paused");
  await does(page, `${ACME}/resume`, () => {}, "Resume it");
  await page.getByText("It goes on where it stands.").waitFor();
  // Off and on again.
  await does(page, `${ACME}/add-on`, () => page.getByLabel("The add-on is").selectOption("off"), "Set it");
  await page.getByText("The add-on is set.").waitFor();
  await page.locator(".badge", { hasText: "Off" }).first().waitFor();
  await does(page, `${ACME}/add-on`, () => page.getByLabel("The add-on is").selectOption("on"), "Set it");
  await page.locator(".badge", { hasText: "Running" }).first().waitFor();
  // What is wrong has the focus, and leads to its field.
  await page.goto(`${base}${ACME}/rewind`);
  await page.getByRole("button", { name: "Rewind it" }).click();
  if (script) await page.locator(".summary:focus").waitFor();
  await sound(page, `rewind-refused-${script}`);
  await picture(page, `console-rewind-refused-${script}`);
  await page.locator(".summary a").click();
  assert((await page.locator(":target").getAttribute("id")) === "accept", "the summary leads to its field");
  // A probe whose steps appear, also without script.
  await page.goto(`${base}${BROKEN}`);
  await page.getByRole("button", { name: "Probe", exact: true }).click();
  await page.locator(".badge", { hasText: "Fails" }).waitFor();
  await sound(page, `probe-${script}`);
  await picture(page, `console-probe-${script}`);
  // A dry run, and then for real, of the newest file.
  await page.goto(`${base}${ACME}`);
  const file = await page.locator("tbody th[scope=row] a").first().textContent();
  await does(page, `${ACME}/replay`, async () => {
    await page.getByLabel("First slot").fill(file);
    await page.getByLabel("Last slot").fill(file);
  }, "Begin");
  await page.getByText("1 of 1 are there as asked").waitFor();
  await sound(page, `dry-run-${script}`);
  await picture(page, `console-dry-run-${script}`);
  await page.getByRole("link", { name: "Do it for real…" }).click();
  assert(!(await page.getByLabel("Dry run: compare only").isChecked()), "it would be a dry run again");
  await page.getByRole("button", { name: "Begin" }).click();
  await page.locator(".badge", { hasText: "Done" }).first().waitFor();
  await page.locator("tbody th a").first().click();
  await page.getByRole("heading", { name: "Put again" }).waitFor();
  await sound(page, `delivery-${script}`);
  await picture(page, `console-delivery-${script}`);
  // The story of another slot, by its place in the strip.
  await page.goto(`${base}${ACME}`);
  await page.locator("svg.strip.wide a").first().click();
  await page.locator("#slot").waitFor();
  assert(page.url().includes("at="), "a slot has an address");
  await sound(page, `story-${script}`);
  await page.context().close();
}

/** With the keyboard alone: past the bar, through the menu, and out. */
async function keyboard() {
  const page = await open(chromium);
  await signIn(page, base, token);
  await page.goto(`${base}/console`);
  await page.keyboard.press("Tab");
  assert((await page.locator(":focus").getAttribute("class")) === "skip", "the first stop skips the bar");
  await page.keyboard.press("Enter");
  assert((await page.locator(":focus").getAttribute("id")) === "main", "it leads to the content");
  const menu = page.locator(".who summary");
  await menu.focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("Theme").waitFor();
  await sound(page, "menu");
  await picture(page, "console-menu");
  await page.keyboard.press("Escape");
  assert(await menu.evaluate((one) => one === document.activeElement && !one.parentElement.open), "Escape closes the menu");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Log out" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/sign-in/);
  await sound(page, "sign-in");
  await picture(page, "console-sign-in");
  await page.goto(`${base}/console`);
  assert(page.url().includes("/sign-in"), "who has logged out is still in");
  // A wrong token is told on a page.
  await page.getByLabel("Token").fill("afo_nothing");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Error 401").waitFor();
  await sound(page, "wrong-token");
  await page.context().close();
}

await looks({ theme: "light", width: 1440, language: "en" });
await looks({ theme: "dark", width: 320, language: "de" });
await looks({ theme: "dark", width: 1440, language: "en", pages: PAGES.slice(4, 7) });
await looks({ theme: "light", width: 320, language: "en", script: false, pages: PAGES.slice(0, 8) });
await support({ script: true });
await support({ script: false });
await keyboard();
await chromium.close();
console.log("sound");
