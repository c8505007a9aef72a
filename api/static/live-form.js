// A form that answers while it is changed: the page is asked again and the named parts of it are put in place.
// Without this script the form has its button. A part keeps the focus that was inside it.
(() => {
  "use strict";
  const form = document.querySelector("form[data-live]");
  if (!form || !window.DOMParser || !window.AbortController) return;

  const parts = form.dataset.live.split(" ");
  const waiting_ms = 120;
  let timer = 0;
  let asked = null;

  document.documentElement.classList.add("live-form");
  form.addEventListener("input", (event) => {
    const shown = event.target.closest(".slider")?.querySelector("[data-value]");
    if (shown) shown.textContent = event.target.value;
    clearTimeout(timer);
    timer = setTimeout(ask, waiting_ms);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    ask();
  });

  async function ask() {
    asked?.abort();
    asked = new AbortController();
    const address = form.action + "?" + new URLSearchParams(new FormData(form));
    try {
      const answer = await fetch(address, { credentials: "same-origin", signal: asked.signal });
      if (!answer.ok || answer.redirected) throw new Error("answered " + answer.status);
      put(new DOMParser().parseFromString(await answer.text(), "text/html"));
      history.replaceState(null, "", address);
    } catch (error) {
      if (error.name !== "AbortError") location.assign(address);
    }
  }

  function put(page) {
    const focused = document.activeElement?.id;
    for (const id of parts) {
      const there = page.getElementById(id);
      const here = document.getElementById(id);
      if (there && here) here.replaceChildren(...document.adoptNode(there).childNodes);
    }
    if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
})();
