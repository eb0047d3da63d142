// [data-copy="id id …"] copies the text of those elements, one a line ("a+b" on one line), and says so.
{
  const write = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Plain http, or a chat app's browser: the way that works without permission.
      const area = document.createElement("textarea");
      area.value = text;
      area.readOnly = true;
      area.className = "off-screen";
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      if (!done) throw new Error("not copied");
    }
  };

  // A field says what it holds, everything else what stands in it.
  const textOf = (id) => {
    const place = document.getElementById(id);
    return (place.value ?? place.textContent).trim();
  };

  const select = (id) => {
    const range = document.createRange();
    range.selectNodeContents(document.getElementById(id));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const ids = button.dataset.copy.split(" ");
    const text = ids.map(
      (id) => id.split("+").map(textOf).join(" "),
    ).join("\n");
    try {
      await write(text);
    } catch {
      return select(ids[0].split("+")[0]);
    }
    const label = button.querySelector("[data-copy-label]");
    label.dataset.words ??= label.textContent;
    label.textContent = button.dataset.done;
    button.dataset.copied = "";
    announce(button.dataset.done);
    clearTimeout(button.backAgain);
    button.backAgain = setTimeout(() => {
      label.textContent = label.dataset.words;
      delete button.dataset.copied;
    }, 2000);
  });
}
