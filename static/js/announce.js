// Says a sentence to screen readers, and a changed order state when its page changed by itself.
const announce = (sentence) => {
  const place = document.getElementById("announcer");
  if (!place) return;
  place.textContent = "";
  setTimeout(() => { place.textContent = sentence; }, 50);
};

{
  let state = document.querySelector("[data-announce]")?.dataset.announce;
  document.addEventListener("htmx:afterSettle", () => {
    const now = document.querySelector("[data-announce]")?.dataset.announce;
    if (now && now !== state) announce(now);
    state = now;
  });
}
