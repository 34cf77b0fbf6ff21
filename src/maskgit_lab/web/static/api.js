// What the page asks the server. Addresses are relative, so that the page also works below another path of a proxy.

export class Refused extends Error {}

async function answered(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer. Is it still running?");
  }
  if (answer.ok) return answer;
  const content = await answer.json().catch(() => ({}));
  throw new Refused(content.error ?? `The server answered with ${answer.status}.`);
}

const octets = (file) => ({ method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });

export const about = async () => (await answered("api/about")).json();
export const exampleAddress = (number) => `api/examples/${number}.png`;
export const example = async (number) => (await answered(exampleAddress(number))).blob();
export const openImage = async (file, name) => (await answered(`api/images?name=${encodeURIComponent(name)}`, octets(file))).json();
export const view = async (key) => createImageBitmap(await (await answered(`api/images/${key}/view`)).blob());
export const transparentHole = async (key) => createImageBitmap(await (await answered(`api/images/${key}/hole.png`)).blob());
const json = (content) => ({ method: "POST", body: JSON.stringify(content), headers: { "Content-Type": "application/json" } });

// Grow an image's canvas by pixels on its sides: { left, top, right, bottom }.
export const grow = async (key, margins) => (await answered(`api/images/${key}/grown`, json(margins))).json();
export const downloadAddress = (key) => `api/images/${key}.png`;

export async function openMask(key, file) {
  const address = `api/images/${key}/mask?name=${encodeURIComponent(file.name)}`;
  return createImageBitmap(await (await answered(address, octets(file))).blob());
}

// Fill a hole; `tell` hears every event of the server. Aborting the signal ends the fill there.
export async function fill(request, signal, tell) {
  const answer = await answered("api/fill", { ...json(request), signal });
  let last = null;
  try {
    for await (const line of lines(answer.body)) {
      last = JSON.parse(line);
      tell(last);
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server ended before the fill did.");
  }
  if (last?.kind === "done") return last;
  throw new Refused(last?.error ?? "The server ended before the fill did.");
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    yield* parts;
  }
}

export async function bitmapOf(base64, type = "image/png") {
  const octets = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return createImageBitmap(new Blob([octets], { type }));
}
