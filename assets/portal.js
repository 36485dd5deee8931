// The portal's own: the code of a link, and words with the page around a frame. Every page works without it.
"use strict";

(() => {
  const inFrame = window.parent !== window;
  const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";
  const hosts = meta("portal-hosts").split(" ").filter(Boolean);

  // To the site around us if it is one that may be there, by its exact origin. A browser that does not say which one it is
  // hands a word to none that has another.
  const around = window.location.ancestorOrigins?.[0];
  const heard = around ? hosts.filter((host) => host === around) : hosts;
  function tell(message) {
    if (!inFrame) return;
    for (const host of heard) window.parent.postMessage({ from: "auditferry", ...message }, host);
  }

  const form = document.getElementById("enter");
  if (form) {
    const code = document.getElementById("code");
    const given = window.location.hash.slice(1);
    if (given) {
      code.value = given;
      document.getElementById("code-field").hidden = true;
      // The link must not stay in the history.
      window.history.replaceState(null, "", window.location.pathname + window.location.search);
      // In a frame the person has pressed a button of the page around it already.
      if (inFrame) form.requestSubmit();
    }
  }

  if (meta("portal-tells")) tell({ what: meta("portal-tells") });
  if (inFrame) {
    const measure = () => tell({ what: "height", height: Math.ceil(document.documentElement.getBoundingClientRect().height) });
    new ResizeObserver(measure).observe(document.documentElement);
    measure();
  }
})();
