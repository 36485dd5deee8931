// Audit Logs and Export History as a person uses them. `journey(page, { base, insert })`: `page` is in the portal with all
// capabilities, `insert(n)` adds records of the account past our code, with the email `live@acme.example`.
import { assert, picture, sound } from "./lib.mjs";

export async function journey(page, { base, insert }) {
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
  await insert(3);
  await until(3);
  assert((await page.locator("#r0").textContent()) === before, "the rows have moved");
  await sound(page, "logs with news");
  // Stopped, it says nothing; going on, it catches up.
  await tail.locator("button").click();
  await insert(2);
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
