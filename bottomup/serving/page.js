"use strict";
const $ = id => document.getElementById(id);
const page = document.documentElement.dataset;
const DRAWN = 0.2;  // score from which on the picture shows a keypoint
let models = [], maxUpload = 0;
let photo = null;  // {content: Blob, name}
let camera = null;  // the webcam's stream
let isBusy = false, isWanted = false;  // one request at a time; whatever changed meanwhile asks once more

function tell(text, isWrong = false) {
  $("status").textContent = text;
  $("status").className = isWrong ? "wrong" : "";
}

// Settings

const chosenModel = () => models.find(model => model.name === $("model").value);

function showDecoders() {
  const model = chosenModel(), before = $("decoder").value;
  $("title").textContent = model.title + (model.megabytes ? `; ${model.megabytes} MB to download at first use` : "");
  $("decoder").replaceChildren(...model.decoders.map(each => new Option(each.name === "file" ? "file: what the file itself asks for" : each.name, each.name)));
  if (model.decoders.some(each => each.name === before)) $("decoder").value = before;
  showThreshold();
}

function showThreshold() {
  const decoder = chosenModel().decoders.find(each => each.name === $("decoder").value);
  $("threshold").disabled = !decoder.has_threshold;
  if (!decoder.has_threshold) $("threshold").value = "";
}

function settings(name) {
  const asked = new URLSearchParams({
    name,
    model: $("model").value,
    decoder: $("decoder").value,
    min_score: $("min-score").value,
    masks: $("masks").checked ? "1" : "0",
    boxes: $("boxes").checked ? "1" : "0",
  });
  if ($("threshold").value) asked.set("threshold", $("threshold").value);
  return asked;
}

// Photos

async function look() {
  if (!photo || !$("model").value) return;
  if (isBusy) {
    isWanted = true;
    return;
  }
  isBusy = true;
  const {content, name} = photo, model = chosenModel();
  const patience = setTimeout(() => tell(model.megabytes ? `Downloading ${model.name}, ${model.megabytes} MB ...` : "Working; the first photo takes longer ..."), 600);
  try {
    if (content.size > maxUpload) throw new Error(`${name} has more than ${maxUpload / 1e6} MB: make it smaller`);
    const answer = await fetch("/poses?" + settings(name), {method: "POST", body: content, headers: {"Content-Type": "application/octet-stream"}});
    const found = await answer.json().catch(() => ({error: `the server answered ${answer.status}`}));
    if (!answer.ok) throw new Error(found.error);
    if (model.megabytes) {
      model.megabytes = 0;
      $("title").textContent = chosenModel().title;
    }
    show(found, name);
  } catch (error) {
    stopCamera();
    tell(error instanceof TypeError ? "The server does not answer: is bottomup serve still running?" : error.message, true);
    page.state = "wrong";
  }
  clearTimeout(patience);
  isBusy = false;
  if (isWanted) {
    isWanted = false;
    await look();
  }
}

function show(found, name) {
  const {poses} = found.document;
  $("empty").hidden = true;
  $("picture").hidden = false;
  $("picture").src = found.picture;
  const people = poses.length === 1 ? "1 person" : `${poses.length} people`;
  tell(`${name}: ${people} in ${found.seconds.toFixed(2)} s. ${found.note}`);
  $("found").replaceChildren(...poses.map((pose, index) => {
    const row = document.createElement("tr");
    const parts = pose.keypoints.filter(keypoint => keypoint && keypoint[2] >= DRAWN).length;
    for (const text of [index + 1, pose.score.toFixed(2), `${parts} of ${pose.keypoints.length}`]) row.insertCell().textContent = text;
    return row;
  }));
  $("found").parentElement.hidden = !poses.length;
  const stem = name.replace(/\.[^.]*$/, "");
  offer($("json"), JSON.stringify(found.document, null, 1), "application/json", `${stem}.json`);
  $("drawn").href = found.picture;
  $("drawn").download = `${stem}-poses.jpg`;
  $("drawn").hidden = false;
  page.poses = poses.length;
  page.state = "shown";
}

function offer(link, text, type, name) {
  if (link.href) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([text], {type}));
  link.download = name;
  link.hidden = false;
}

function take(file) {
  if (!file) return;
  stopCamera();
  photo = {content: file, name: file.name || "photo.png"};
  look();
}

// The webcam

async function startCamera() {
  if (camera) return stopCamera();
  try {
    camera = await navigator.mediaDevices.getUserMedia({video: {width: {ideal: 640}}});
  } catch (error) {
    return tell(`The webcam cannot be used: ${error.message}`, true);
  }
  $("webcam-again").textContent = "Stop the webcam";
  const video = $("video"), canvas = document.createElement("canvas");
  video.srcObject = camera;
  await video.play();
  while (camera) {
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    const content = await new Promise(done => canvas.toBlob(done, "image/jpeg", 0.9));
    photo = {content, name: "webcam.jpg"};
    await look();
    await new Promise(requestAnimationFrame);
  }
}

function stopCamera() {
  if (!camera) return;
  for (const track of camera.getTracks()) track.stop();
  camera = null;
  $("webcam-again").textContent = "Use the webcam";
}

// Setting up

function listen() {
  for (const id of ["choose", "choose-again"]) $(id).addEventListener("click", () => $("file").click());
  for (const id of ["webcam", "webcam-again"]) $(id).addEventListener("click", startCamera);
  $("file").addEventListener("change", () => {
    take($("file").files[0]);
    $("file").value = "";
  });
  $("model").addEventListener("change", () => { showDecoders(); look(); });
  $("decoder").addEventListener("change", () => { showThreshold(); look(); });
  $("min-score").addEventListener("input", () => { $("min-score-told").value = Number($("min-score").value).toFixed(2); });
  for (const id of ["min-score", "threshold", "masks", "boxes"]) $(id).addEventListener("change", look);
  window.addEventListener("dragover", event => { event.preventDefault(); document.querySelector("main").className = "over"; });
  window.addEventListener("dragleave", () => { document.querySelector("main").className = ""; });
  window.addEventListener("drop", event => {
    event.preventDefault();
    document.querySelector("main").className = "";
    take(event.dataTransfer.files[0]);
  });
  window.addEventListener("paste", event => take(event.clipboardData.files[0]));
}

async function setUp() {
  listen();
  try {
    const offers = await (await fetch("/models")).json();
    ({models, max_upload: maxUpload} = offers);
    $("model").replaceChildren(...models.map(model => new Option(model.name + (model.megabytes ? ` (${model.megabytes} MB to download)` : ""), model.name)));
    $("model").value = offers.first;
    showDecoders();
    page.state = "ready";
  } catch {
    tell("The server does not answer: is bottomup serve still running?", true);
  }
  look();
}

setUp();
