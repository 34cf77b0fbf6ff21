// Files that come in: chosen, pasted, dropped, or a painted cat.

import { example, exampleAddress } from "./api.js";

const by = (id) => document.getElementById(id);

// `open` hears of a file and its name, `openMask` of a file
export function wireFiles({ open, openMask }) {
  const taken = (id, act) =>
    by(id).addEventListener("change", () => {
      const [file] = by(id).files;
      by(id).value = "";
      if (file) act(file);
    });
  taken("file", (file) => open(file, file.name));
  taken("mask-file", openMask);
  for (const id of ["open", "open-first"]) by(id).addEventListener("click", () => by("file").click());
  by("load-mask").addEventListener("click", () => by("mask-file").click());
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (file) open(file, file.name || "pasted");
  });
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      by("stage").classList.toggle("over", name === "dragenter" || name === "dragover");
      if (name === "drop" && event.dataTransfer.files[0]) open(event.dataTransfer.files[0], event.dataTransfer.files[0].name);
    });
  }
}

export function offerExamples(count, { open, complain }) {
  for (let number = 0; number < count; number++) {
    const [button, image] = [document.createElement("button"), new Image(76, 76)];
    Object.assign(image, { src: exampleAddress(number), alt: `Painted cat ${number + 1}` });
    button.type = "button";
    button.append(image);
    button.addEventListener("click", async () => {
      try {
        await open(await example(number), `cat_${number + 1}.png`);
      } catch (error) {
        complain(error);
      }
    });
    by("examples").append(button);
  }
}
