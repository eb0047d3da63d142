// What asks for itself again and again rests while nobody looks at it.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.matches("[data-rests]")) event.preventDefault();
});
