// [data-seconds="872"] counts down from what the server said, whatever this device's clock says.
{
  const ends = new WeakMap();

  const show = () => {
    for (const place of document.querySelectorAll("[data-seconds]")) {
      if (!ends.has(place)) ends.set(place, performance.now() + place.dataset.seconds * 1000);
      const left = Math.max(0, Math.ceil((ends.get(place) - performance.now()) / 1000));
      const words = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
      if (place.textContent !== words) place.textContent = words;
    }
  };

  show();
  setInterval(show, 500);
  document.addEventListener("htmx:afterSwap", show);
}
