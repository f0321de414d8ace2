"use strict";

const FIGURES = [
  ["size", "Size", "bytes"], ["receive_ms", "Receive", "ms"], ["decode_ms", "Decode", "ms"],
  ["draw_ms", "Draw", "ms"], ["total_ms", "Total", "ms"], ["fps", "Rate", "fps"],
];
const HISTORY = 120; // pictures in a plot
const byId = (id) => document.getElementById(id);
const history = Object.fromEntries(FIGURES.map(([key]) => [key, []]));
const canvas = byId("picture");
const pen = canvas.getContext("2d");
let socket, newest, busy = false, drawMilliseconds = 0, lastJpeg, paused = false, recording = false, shown = 0;

for (const [key, title, unit] of FIGURES) {
  const card = document.createElement("div");
  card.className = "figure";
  card.innerHTML = `<h2>${title}</h2><strong id="${key}">–</strong> <small>${unit}</small>
    <canvas id="${key}-plot" width="240" height="34" aria-hidden="true"></canvas>`;
  byId("figures").append(card);
}

function connect() {
  socket = new WebSocket(`ws://${location.host}/stream`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => lamp(true, "connected");
  socket.onclose = () => { lamp(false, "not connected"); setTimeout(connect, 1000); };
  socket.onmessage = ({data}) => typeof data === "string" ? understand(JSON.parse(data)) : arrived(data);
}

function lamp(on, text) {
  byId("line").classList.toggle("on", on);
  byId("line").textContent = text;
}

function ask(what, more) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({do: what, ...more}));
}

// The newest picture is kept; older ones that could not be drawn in time are left out.
function arrived(data) {
  const length = new DataView(data).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  newest = [head, new Blob([new Uint8Array(data, 4 + length)], {type: "image/jpeg"})];
  if (!busy) drawNewest();
}

async function drawNewest() {
  busy = true;
  while (newest) {
    const [head, jpeg] = newest;
    newest = undefined;
    const began = performance.now();
    try {
      const image = await createImageBitmap(jpeg);
      const decoded = performance.now();
      draw(image, head);
      image.close();
      lastJpeg = jpeg;
      note({...head, decode_ms: decoded - began, draw_ms: performance.now() - decoded});
      document.body.dataset.shown = ++shown;
    } catch {
      byId("news").textContent = "a picture could not be decoded";
    }
  }
  busy = false;
}

function draw(image, head) {
  const scale = Math.max(1, Math.floor(960 / image.width));
  const width = image.width * scale, height = image.height * scale;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
  pen.imageSmoothingEnabled = scale < 3;
  pen.drawImage(image, 0, 0, width, height);
  const x = width / head.boxes_width, y = height / head.boxes_height;
  pen.lineWidth = Math.max(2, width / 240);
  pen.font = `${Math.max(12, width / 40)}px system-ui, sans-serif`;
  pen.textBaseline = "top";
  for (const box of head.boxes) {
    pen.strokeStyle = pen.fillStyle = "#00e676";
    pen.strokeRect(box.x * x, box.y * y, box.width * x, box.height * y);
    const text = `${box.label} ${Math.round(box.score * 100)}%`, tall = Math.max(12, width / 40) * 1.3;
    const top = Math.max(box.y * y - tall, 0);
    pen.fillRect(box.x * x, top, pen.measureText(text).width + 8, tall);
    pen.fillStyle = "#000";
    pen.fillText(text, box.x * x + 4, top + tall * 0.12);
  }
}

function note(head) {
  for (const [key] of FIGURES) {
    const value = head[key];
    byId(key).textContent = value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1);
    history[key].push(value);
    if (history[key].length > HISTORY) history[key].shift();
    plot(byId(`${key}-plot`), history[key]);
  }
  const speed = head.baud ? `${head.baud.toLocaleString("en")} baud` : "no serial line";
  byId("faults").textContent = `Picture ${head.number}, quality ${head.quality || "?"}, ${speed}, ${head.lost} lost, ` +
    `${head.damaged} damaged, ${head.resyncs} resyncs${head.legacy ? ", older protocol" : ""}`;
  if (head.baud && document.activeElement !== byId("baud")) byId("baud").value = head.baud;
  if (recording) byId("album").textContent = `${head.saved} saved`;
}

function plot(place, values) {
  const paint = place.getContext("2d"), {width, height} = place, top = Math.max(...values, 1e-9);
  paint.clearRect(0, 0, width, height);
  paint.beginPath();
  values.forEach((value, i) => paint.lineTo(i * width / (HISTORY - 1), height - 2 - (height - 4) * value / top));
  paint.strokeStyle = getComputedStyle(document.body).getPropertyValue("--accent");
  paint.lineWidth = 1.5;
  paint.stroke();
}

function understand(message) {
  if (message.news) byId("news").textContent = message.news;
  if (message.camera) byId("camera").textContent = `${message.camera.name}, ${message.camera.width}×${message.camera.height}`;
  if (message.path) byId("album").textContent = `saved ${message.path}`;
  if ("recording" in message) {
    recording = message.recording;
    byId("record").setAttribute("aria-pressed", recording);
  }
  if ("album" in message) {
    for (const id of ["save", "record", "label"]) byId(id).disabled = !message.album;
    byId("album").textContent = message.album ? `into ${message.album}` : "start with --save FOLDER to save into a data set";
  }
}

byId("quality").oninput = ({target}) => {
  byId("quality-shown").textContent = Number(target.value) || "steered by the camera";
};
byId("quality").onchange = ({target}) => ask("quality", {value: Number(target.value)});
byId("baud").onchange = ({target}) => { ask("baud", {value: Number(target.value)}); target.blur(); };
byId("pause").onclick = ({target}) => {
  paused = !paused;
  target.setAttribute("aria-pressed", paused);
  ask("pause", {value: Number(paused)});
};
byId("snapshot").onclick = () => {
  if (!lastJpeg) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(lastJpeg);
  link.download = `snapshot-${new Date().toISOString().replace(/[:.]/g, "-")}.jpg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
byId("save").onclick = () => ask("save", {label: byId("label").value.trim()});
byId("record").onclick = () => ask("record", {value: !recording, label: byId("label").value.trim()});

connect();
