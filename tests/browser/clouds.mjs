// A container of Azure and a bucket of Google set up in a browser: a secret that is wrong, then mended, then saved.
import { assert, browser, open, picture, sound } from "./lib.mjs";

// What tests/system/portal/browser.rs has made ready.
const { base, clouds } = JSON.parse(process.env.AUDITFERRY_JOURNEY);
const chromium = await browser();
for (const { name, link, cloud, how, fields, wrong, right, says } of clouds) {
  const page = await open(chromium);
  await page.goto(link);
  await page.getByRole("button", { name: "Open", exact: true }).click();
  await page.waitForURL(/\/portal(\/(?!enter)|$)/);
  await page.goto(`${base}/portal/export/setup?cloud=${cloud}&how=${how}`);
  for (const [id, value] of Object.entries(fields)) await page.locator(`#${id}`).fill(value);
  await page.locator("#secret").fill(wrong);
  await page.getByRole("button", { name: "Test the bucket" }).click();
  await page.locator("#steps .bad").waitFor();
  await page.locator("#steps:not([hx-get])").waitFor();
  const told = await page.locator("#steps").textContent();
  assert(told.includes(says), `${name}: the page does not say ${says}: ${told}`);
  assert(await page.getByRole("button", { name: "Save", exact: true }).isDisabled(), `${name}: what fails can be saved`);
  assert((await page.locator("#secret").inputValue()) === "", `${name}: a secret comes back`);
  await sound(page, `${name}-failed`);
  await picture(page, `portal-${name}-failed`);
  await page.locator("#secret").fill(right);
  await page.getByRole("button", { name: "Test the bucket" }).click();
  const save = page.locator("button:not([disabled])", { hasText: /^Save$/ });
  await save.waitFor();
  await sound(page, `${name}-works`);
  await save.click();
  await page.getByText("Saved.").waitFor();
  await sound(page, `${name}-saved`);
  await picture(page, `portal-${name}-saved`);
  await page.context().close();
}
await chromium.close();
console.log("sound");
