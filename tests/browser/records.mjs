// Audit Logs and Export History as a person uses them: the live tail, keys, one record, a filter, a download.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert, browser, open, picture, sound } from "./lib.mjs";

// What tests/system/portal/browser.rs has made ready.
const { base, link, program, folder, environment } = JSON.parse(process.env.AUDITFERRY_JOURNEY);

// Adds records of the account, as an import does.
function insert(count) {
  const now = new Date().toISOString();
  const record = { Date: now, Email: "live@acme.example", Action: "Live", Description: "it came just now" };
  writeFileSync(join(folder, "live.jsonl"), `${JSON.stringify(record)}\n`.repeat(count));
  execFileSync(program, ["import", "acme", "live.jsonl"], { cwd: folder, env: environment, stdio: "ignore" });
}

async function journey(page) {
  await page.goto(`${base}/portal/logs`);
  await sound(page, "logs");
  await picture(page, "portal-logs");
  // What comes waits to be pressed; nothing moves under the reader.
  const tail = page.locator("[data-tail]");
  const badge = tail.locator("a.badge");
  assert((await tail.locator("button").getAttribute("aria-pressed")) === "true", "the tail is on");
  const before = await page.locator("#r0").textContent();
  const until = (count) => page.waitForFunction((n) => document.querySelector("[data-tail] a.badge").textContent.startsWith(String(n)), count);
  // The stream looks at what is there first; until it does, what comes may be part of that.
  await page.waitForTimeout(3_000);
  insert(3);
  await until(3);
  assert((await page.locator("#r0").textContent()) === before, "the rows have moved");
  await sound(page, "logs with news");
  // Stopped, it says nothing; going on, it catches up.
  await tail.locator("button").click();
  insert(2);
  await tail.locator("button").click();
  await until(5);
  await badge.click();
  assert((await page.locator("#r0").textContent()).includes("live@"), "what is new is there");
  // Keys.
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  assert((await page.evaluate(() => document.activeElement.closest("tr")?.id)) === "r0", "j and k go from record to record");
  await page.keyboard.press("Enter");
  await page.waitForURL(/record=/);
  assert((await page.evaluate(() => document.activeElement.id)) === "record", "the record has the focus");
  await sound(page, "record");
  await picture(page, "portal-record");
  await page.keyboard.press("?");
  await sound(page, "keys");
  await page.locator("#keys-on").uncheck();
  await page.locator("#keys button").click();
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("/");
  assert((await page.evaluate(() => document.activeElement.id)) !== "q", "keys are off");
  await page.locator("#keys-open").click();
  await page.locator("#keys-on").check();
  await page.locator("#keys button").click();
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("/");
  assert((await page.evaluate(() => document.activeElement.id)) === "q", "the text filter has the focus");
  // A filter, and its download.
  await page.keyboard.type("live");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=/);
  for (const path of ["/portal/logs?q=nothing-at-all", "/portal/logs?range=dates&from=x&ip=zz", "/portal/downloads"]) {
    await page.goto(base + path);
    await sound(page, path);
  }
  await page.goto(`${base}/portal/downloads?new=view&range=7d`);
  await sound(page, "new download");
  await picture(page, "portal-new-download");
  await page.getByRole("button", { name: /Make download|Download erstellen/ }).click();
  await page.waitForURL(/asked=/);
  const fetch = page.locator("a[download]").first();
  await fetch.waitFor();
  const [file] = await Promise.all([page.waitForEvent("download"), fetch.click()]);
  assert(file.suggestedFilename().endsWith(".csv"), file.suggestedFilename());
  await sound(page, "downloads");
  await picture(page, "portal-downloads");
}

// Without script everything but the tail works.
async function withoutScript(state) {
  const page = await open(chromium, { script: false, storageState: state });
  await page.goto(`${base}/portal/logs?q=live`);
  assert(!(await page.locator("[data-tail]").isVisible()), "the tail is shown, and does nothing");
  await page.getByLabel("Rows").selectOption("50");
  await page.getByRole("button", { name: "Set" }).click();
  await page.waitForURL(/rows=50/);
  await page.locator("#r0 a").click();
  await page.waitForURL(/record=/);
  await page.getByRole("link", { name: "UTC" }).click();
  await page.waitForURL(/zone=utc/);
  assert((await page.locator("#record").textContent()).includes("live@acme.example"), "the record stays");
  await page.goto(`${base}/portal/downloads?new=view&q=live`);
  await page.getByRole("button", { name: "Make download" }).click();
  await page.waitForURL(/asked=/);
}

const chromium = await browser();
const page = await open(chromium, { acceptDownloads: true });
await page.goto(link);
await page.getByRole("button", { name: "Open", exact: true }).click();
await page.waitForURL(/\/portal(\/(?!enter)|$)/);
await journey(page);
const state = await page.context().storageState();
for (const look of [{ theme: "dark", width: 320 }, { theme: "dark" }, { width: 320 }]) {
  const other = await open(chromium, { ...look, storageState: state });
  for (const [name, path] of [["logs", "/portal/logs"], ["logs-record", "/portal/logs?q=live&zone=utc"], ["downloads", "/portal/downloads?new=all"]]) {
    await other.goto(base + path);
    if (name === "logs-record") {
      await other.locator("#r0 a").click();
      await other.waitForURL(/record=/);
    }
    const shown = `portal-${name}-${look.theme ?? "light"}-${look.width ?? 1440}`;
    await sound(other, shown);
    await picture(other, shown);
  }
  await other.context().close();
}
await withoutScript(state);
await chromium.close();
console.log("sound");
