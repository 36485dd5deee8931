// The portal in a browser: in with a link, a bucket set up with a wrong key that is then mended, in a frame, and out.
import http from "node:http";
import { assert, browser, open, picture, sound } from "./lib.mjs";

// What tests/system/portal/browser.rs has made ready.
const { base, links, host, endpoint, key } = JSON.parse(process.env.AUDITFERRY_JOURNEY);
const next = () => {
  const link = links.shift();
  assert(link, "there are too few links");
  return link;
};
const words = {
  en: { open: "Open", test: "Test the bucket", save: "Save", saved: "Saved.", out: "Log out", left: "You are logged out" },
  de: { open: "Öffnen", test: "Bucket testen", save: "Speichern", saved: "Gespeichert.", out: "Abmelden", left: "Sie sind abgemeldet" },
};

async function enter(page, link, say = words.en) {
  await page.goto(link);
  await page.getByRole("button", { name: say.open, exact: true }).click();
  await page.waitForURL(/\/portal(\/(?!enter)|$)/);
}

const chromium = await browser();

async function setUp({ theme, width, language }) {
  const [say, name] = [words[language], `portal-${theme}-${width}`];
  const page = await open(chromium, { theme, width, locale: language });
  const link = next();
  await page.goto(link);
  assert(!page.url().includes("#"), "the code stays in the address");
  await sound(page, `${name}-enter`);
  await picture(page, `${name}-enter`);
  await enter(page, link, say);
  await page.goto(`${base}/portal/export`);
  await sound(page, `${name}-export`);
  await picture(page, `${name}-export`);
  for (const [cloud, how] of [["s3", "role"], ["gcs", "google-key"], ["azure", "application"]]) {
    for (const guide of ["console", "cli", "terraform"]) {
      await page.goto(`${base}/portal/export/setup?cloud=${cloud}&how=${how}&guide=${guide}`);
      await sound(page, `${name}-${how}-${guide}`);
      if (guide === "cli") await picture(page, `${name}-${how}`);
    }
  }
  await page.goto(`${base}/portal/export/setup?cloud=s3&how=key`);
  await page.locator("#bucket").fill("Acme_SIEM");
  await page.locator("#endpoint").fill("");
  await page.locator("#region").fill("us-east-1");
  await page.locator("#key_id").fill("AKIA");
  await page.locator("#secret").fill("wrong");
  await page.getByRole("button", { name: say.test }).click();
  // The list of what is wrong gets the focus, and leads to the field.
  await page.locator(".summary:focus").waitFor();
  await sound(page, `${name}-wrong-field`);
  await picture(page, `${name}-wrong-field`);
  await page.locator(".summary a").first().click();
  assert((await page.locator(":focus").getAttribute("id")) === "bucket", "the summary leads to its field");
  assert((await page.locator("#secret").inputValue()) === "", "a secret comes back");
  await page.locator("#bucket").fill("acme-siem");
  await page.locator("#endpoint").fill(endpoint);
  await page.locator("#secret").fill("wrong");
  await page.getByRole("button", { name: say.test }).click();
  await page.locator("#steps .bad").waitFor();
  await page.locator("#steps:not([hx-get])").waitFor();
  assert((await page.locator("#steps .bad").textContent()).includes("SignatureDoesNotMatch"), "the cloud's own words");
  assert(await page.getByRole("button", { name: say.save, exact: true }).isDisabled(), "what fails can be saved");
  await sound(page, `${name}-failed`);
  await picture(page, `${name}-failed`);
  await page.locator("#secret").fill(key);
  await page.getByRole("button", { name: say.test }).click();
  // The page goes on by itself once the steps have ended.
  const save = page.locator("button:not([disabled])", { hasText: new RegExp(`^${say.save}$`) });
  await save.waitFor();
  await sound(page, `${name}-works`);
  await picture(page, `${name}-works`);
  await save.click();
  await page.getByText(say.saved).waitFor();
  await sound(page, `${name}-saved`);
  await picture(page, `${name}-saved`);
  await page.locator(".who summary").click();
  await page.getByRole("button", { name: say.out }).click();
  await page.getByText(say.left).waitFor();
  await sound(page, `${name}-left`);
  await picture(page, `${name}-left`);
  // A second use of the link.
  await page.goto(link);
  await page.getByRole("button", { name: say.open, exact: true }).click();
  await page.locator(".empty h1").waitFor();
  await sound(page, `${name}-used`);
  await picture(page, `${name}-used`);
  await page.context().close();
}

/** Everything without script, and by keys alone. */
async function withoutScript() {
  const page = await open(chromium, { script: false });
  const link = next();
  await page.goto(link);
  await page.locator("#code").fill(link);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/portal(\/(?!enter)|$)/);
  await page.goto(`${base}/portal/export/setup`);
  await page.getByLabel("AWS S3").check();
  await page.getByRole("button", { name: "Choose" }).click();
  await page.goto(`${base}/portal/export/setup?cloud=s3&how=key`);
  for (const [name, value] of [["bucket", "acme-siem"], ["region", "us-east-1"], ["endpoint", endpoint], ["key_id", "AKIA"], ["secret", key]]) {
    await page.locator(`#${name}`).fill(value);
  }
  await page.locator("#endpoint").press("Enter");
  await page.waitForURL(/trial=/);
  const save = page.locator("form[action$=save] button");
  for (let tries = 0; !(await save.isVisible()); tries += 1) {
    assert(tries < 200, "the test does not end");
    await page.reload();
  }
  await picture(page, "portal-without-script");
  await save.press("Enter");
  await page.getByText("Saved.").waitFor();
  await page.context().close();
}

/** In a page of the vendor's. */
async function embedded() {
  let asked = 0;
  const server = http.createServer((request, response) => {
    if (request.url === "/link") {
      asked += 1;
      response.end(JSON.stringify({ url: next() }));
      return;
    }
    response.setHeader("content-type", "text/html");
    response.end(`<!doctype html><html lang="en"><title>The vendor</title><h1>The vendor</h1><div id="audit"></div>
      <script src="${base}/portal/embed.js"></script><script>
      window.ends = [];
      auditferry.mount({ into: document.getElementById("audit"), minHeight: 100, onEnd: (how) => window.ends.push(String(how)),
        link: async () => (await (await fetch("/link")).json()).url });</script>`);
  });
  await new Promise((ready) => server.listen(host, "127.0.0.1", ready));
  const inside = async (page) => page.locator("iframe").contentFrame();
  // Of the same site: cookies are kept, and the frame is in by itself.
  const page = await open(chromium);
  await page.goto(`http://127.0.0.1:${host}/`);
  let frame = await inside(page);
  await frame.locator("footer.foot").or(frame.locator(".empty h1")).first().waitFor();
  await frame.locator("html").evaluate((_, place) => window.location.assign(place), `${base}/portal/export`);
  await frame.getByRole("heading", { name: "Export Center" }).waitFor();
  await page.waitForFunction(() => parseInt(document.querySelector("iframe").style.height, 10) > 300);
  await picture(page, "portal-embedded");
  // The session ends, and the host is asked for another link.
  await page.evaluate(() => {
    const now = Date.now;
    Date.now = () => now() + 60000;
  });
  const before = asked;
  await page.context().clearCookies();
  await frame.locator("html").evaluate((_, place) => window.location.assign(place), `${base}/portal/export`);
  await page.waitForFunction(() => document.querySelector("iframe").src.includes("frame=2"));
  frame = await inside(page);
  await frame.locator("footer.foot").or(frame.locator(".empty h1")).first().waitFor();
  assert(asked === before + 1, `the host was asked ${asked - before} times`);
  assert(page.complaints.length === 0, page.complaints.join("; "));
  await page.context().close();
  // Of another site, without TLS: no cookie is kept. The link still counts, in a window of its own.
  const other = await open(chromium);
  await other.goto(`http://localhost:${host}/`);
  frame = await inside(other);
  const own = frame.getByRole("link", { name: "Open in a new window" });
  await own.waitFor();
  const [window] = await Promise.all([other.context().waitForEvent("page"), own.click()]);
  await window.getByRole("button", { name: "Open", exact: true }).click();
  await window.waitForURL(/\/portal(\/(?!enter)|$)/);
  await window.goto(`${base}/portal/export`);
  await window.getByRole("heading", { name: "Export Center" }).waitFor();
  await other.context().close();
  server.close();
}

for (const look of [
  { theme: "light", width: 1440, language: "en" },
  { theme: "dark", width: 320, language: "de" },
]) await setUp(look);
await withoutScript();
await embedded();
await chromium.close();
console.log("sound");
