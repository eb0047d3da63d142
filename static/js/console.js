// The console: "/" or ⌘K goes to the search, Esc closes menus, a dropped file is named, one tick ticks all.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  const isSearch = (event.key === "/" && !isTyping)
    || (event.key === "k" && (event.metaKey || event.ctrlKey));
  if (isSearch) {
    event.preventDefault();
    document.querySelector("[data-search-key]")?.select();
  }
  if (event.key === "Escape") closeMenus(null);
});

const closeMenus = (except) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== except) menu.open = false;
  }
};

document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));

for (const type of ["dragenter", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    const box = event.target.closest?.("[data-file-drop]");
    if (box) box.toggleAttribute("data-over", type === "dragenter");
  });
}

document.addEventListener("change", (event) => {
  const box = event.target.closest("[data-file-drop]");
  if (box) {
    const file = event.target.files[0];
    const name = box.querySelector("[data-file-name]");
    name.dataset.words ??= name.textContent;
    name.textContent = file ? file.name : name.dataset.words;
  }
  if (event.target.matches("[data-tick-all]")) {
    for (const tick of event.target.form.querySelectorAll("[data-tick]")) {
      tick.checked = event.target.checked;
    }
  }
});
