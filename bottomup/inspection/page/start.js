// A page's address may say how it opens: #layers=poses,peaks&map=nose&person=1&score_threshold=0.3&min_score=0&zoom=2

function readAddress() {
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    const {settings} = decoderOf(state.side), index = settings.findIndex(each => each.name === name);
    const map = data.maps.each.findIndex(each => each.name === value), field = data.vectors.findIndex(each => each.name === value);
    if (index >= 0) {
      const apart = settings[index].steps.map(step => Math.abs(step - Number(value)));
      state.steps[state.side][index] = apart.indexOf(Math.min(...apart));
    } else if (name === "min_score") state.minScore = Math.max(0, Math.min(1, Number(value) || 0));
    else if (name === "layers") for (const layer of layerNames()) state.layers[layer] = value.split(",").includes(layer);
    else if (name === "map" && map >= 0) state.map = map;
    else if (name === "vectors" && field >= 0) state.vectors = field;
    else if (name === "view" && ["0", "1", "both"].slice(0, data.decoders.length > 1 ? 3 : 1).includes(value)) {
      Object.assign(state, {view: value, side: value === "1" ? 1 : 0});
    } else if (name === "person") state.person = shownPoses(state.side).find(pose => pose.rank === Number(value))?.number ?? null;
    else if (name === "candidate" && decoderOf(state.side).peaks[Number(value)]) state.candidate = Number(value);
  }
  buildSettings();
}

function refresh() {
  if (known.size > 1000) known.clear();
  refreshAlone();
  refreshSides();
  refreshPeople();
  refreshLayers();
  refreshCopies();
  draw();
}

async function start() {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("this page needs a newer browser: Chrome 80, Firefox 113, Safari 16.4 or later");
  }
  await unpack();
  buildSides();
  buildLayers();
  readAddress();
  listen();
  refresh();
  fit();
  const zoom = Number(new URLSearchParams(location.hash.slice(1)).get("zoom"));
  if (zoom > 0) zoomAt([canvases()[0].clientWidth / 2, canvases()[0].clientHeight / 2], zoom);
  page.ready = "yes";
}

start().catch(error => {
  $("summary").textContent = `The page cannot be shown: ${error.message}`;
  throw error;
});
