// Adds a button that copies the text of each element marked with data-copy.
for (const source of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = source.dataset.copy;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = source.dataset.copied;
    setTimeout(() => { button.textContent = source.dataset.copy; }, 2000);
  });
  source.after(button);
}
