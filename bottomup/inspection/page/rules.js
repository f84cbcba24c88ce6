// What the decoder gives at these steps of the sliders, and which rule kept or dropped each candidate.

const known = new Map();  // answers by side and steps

// All poses of a decoder: those that are shown have a rank, the others a reason in `hidden`.
function posesOf(side) {
  const key = `poses ${side} ${state.steps[side]} ${state.minScore}`;
  if (!known.has(key)) known.set(key, findPoses(side));
  return known.get(key);
}

function findPoses(side) {
  const {settings, decodes, poses} = decoderOf(side);
  let step = 0, rank = 0;
  settings.forEach((each, at) => { step = step * each.steps.length + state.steps[side][at]; });
  const found = decodes[step].map(([number, score, double]) => ({number, score, double, ...poses[number]}));
  for (const pose of found) {
    pose.hidden = null;
    if (pose.score < state.minScore) pose.hidden = `its score, ${text(pose.score)}, is below min_score ${text(state.minScore)}`;
    else if (pose.double >= 0 && state.minScore > 0) {
      pose.hidden = `it duplicates a better one, person ${found[pose.double].rank ?? "?"} (OKS above 0.5)`;
    }
    if (pose.hidden === null) pose.rank = ++rank;
  }
  return found;
}

const shownPoses = side => posesOf(side).filter(pose => pose.hidden === null);
const who = pose => pose.hidden === null ? `person ${pose.rank}` : "somebody who is left out";
const isAt = (pose, [part, x, y]) => pose.keypoints[part] && !pose.filled.includes(part)
  && distance(pose.keypoints[part], [x, y]) < (data.family === "tags" ? 0.75 * data.maps.pitch[0] : 0.5);  // systems round cells otherwise

// Each candidate's fate: kind "kept", "dropped" or "low", the rule in words, and the number of the pose concerned.
function fatesOf(side) {
  const key = `fates ${side} ${state.steps[side]} ${state.minScore}`;
  if (!known.has(key)) {
    const poses = posesOf(side);
    known.set(key, decoderOf(side).peaks.map((peak, index) => fateOf(side, index, peak, poses)));
  }
  return known.get(key);
}

function fateOf(side, index, peak, poses) {
  const {threshold, is_above} = data.words, limit = parameter(side, threshold);
  if (limit !== null && (is_above ? peak[3] <= limit : peak[3] < limit)) {
    return {kind: "low", rule: `dropped: its score is ${is_above ? "not above" : "below"} ${threshold} ${brief(limit)}`, pose: null};
  }
  const own = poses.find(pose => standsForPerson() ? pose.root === index : isAt(pose, peak));
  if (own && own.hidden !== null) return {kind: "dropped", rule: `found, then left out: ${own.hidden}`, pose: own.number};
  if (own) return {kind: "kept", rule: whyKept(side, index, peak, own), pose: own.number};
  return {kind: "dropped", ...(standsForPerson() ? whyNobody : whyNoPart)(side, index, peak, poses)};
}

function whyKept(side, index, peak, pose) {
  if (standsForPerson()) return `kept: person ${pose.rank} starts here`;
  const part = words(data.parts[peak[0]]);
  if (data.family !== "tags") return `kept: the ${part} of person ${pose.rank}`;
  const apart = tagDistance(decoderOf(side).tags[index], meanTag(side, pose));
  return `kept: the ${part} of person ${pose.rank}, its tag ${text(apart)} from the mean of theirs`;
}

// Of candidates that stand for a person: near a better one, by the family's rule, or another reason.
function whyNobody(side, index, [part, x, y], poses) {
  const {limit: name, near, otherwise} = data.words, limit = parameter(side, name), {rivals, traces} = decoderOf(side);
  let best = null;
  const offer = (pose, measure, isBetter) => { if (!best || isBetter(measure, best.measure)) best = {pose, measure}; };
  if (part >= 0) {
    const start = traces[index].length ? traces[index][0].slice(1, 3) : [x, y];
    for (const pose of poses) {
      if (pose.keypoints[part]) offer(pose, distance(pose.keypoints[part], start), (one, other) => one < other);
    }
    if (best && !(limit !== null && best.measure <= limit)) best = null;
  } else {
    for (const [worse, better, measure] of rivals) {
      const pose = worse === index && limit !== null && measure > limit && poses.find(each => each.root === better);
      if (pose) offer(pose, measure, (one, other) => one > other);
    }
  }
  if (best) {
    const fill = {measure: text(best.measure, part >= 0 ? 1 : 2), limit: brief(limit), who: who(best.pose), part: words(data.parts[part] ?? "")};
    return {rule: near.replace(/{(\w+)}/g, (_, word) => fill[word]), pose: best.pose.number};
  }
  const most = parameter(side, "max_poses");
  const rule = most !== null && poses.length >= most ? `dropped: max_poses ${most} better people were found` : otherwise;
  return {rule, pose: null};
}

// Of candidates that stand for a part.
function whyNoPart(side, index, peak, poses) {
  if (data.family === "tags") return whyNoTag(side, index, peak, poses);
  const ends = limbsOf(side).filter(limb => limb[1] === index || limb[2] === index);
  if (!ends.length) {
    return {rule: "dropped: no field connects it to another candidate (limb_threshold, limb_ratio, min_limb_score)", pose: null};
  }
  const [, parent, child, score] = ends.reduce((one, other) => other[3] > one[3] ? other : one);
  const other = decoderOf(side).peaks[parent === index ? child : parent], pose = poses.find(each => isAt(each, other));
  if (!pose) return {rule: data.words.otherwise, pose: null};
  return {rule: `dropped: its best limb, ${text(score)}, leads to the ${words(data.parts[other[0]])} of ${who(pose)}, whom a stronger `
          + `limb gave another ${words(data.parts[peak[0]])}`, pose: pose.number};
}

function whyNoTag(side, index, [part], poses) {
  const own = decoderOf(side).tags[index], limit = parameter(side, "tag_threshold");
  let nearest = null, least = Infinity;
  for (const pose of poses) {
    const apart = tagDistance(own, meanTag(side, pose));
    if (apart < least) [nearest, least] = [pose, apart];
  }
  if (!nearest || limit === null) return {rule: data.words.otherwise, pose: null};
  if (least >= limit) {
    return {rule: `dropped: its tag is ${text(least)} from the nearest person's, not below tag_threshold ${brief(limit)}: alone, it has `
            + "too few parts or is a fragment of somebody", pose: nearest.number};
  }
  return {rule: `dropped: its tag fits ${who(nearest)}, ${text(least)} apart, who has a better ${words(data.parts[part])}`, pose: nearest.number};
}

const tagDistance = (one, other) => other ? Math.hypot(...one.map((value, at) => value - other[at])) : Infinity;

function meanTag(side, pose) {
  const key = `tag ${side} ${pose.number}`;
  if (!known.has(key)) known.set(key, findMeanTag(side, pose));
  return known.get(key);
}

function findMeanTag(side, pose) {
  const {peaks, tags} = decoderOf(side);
  let total = null, weight = 0;
  peaks.forEach((peak, index) => {
    if (!isAt(pose, peak)) return;
    total = tags[index].map((value, at) => value * peak[3] + (total ? total[at] : 0));
    weight += peak[3];
  });
  return total && total.map(value => value / weight);
}

// Limbs between candidates that are above the threshold.
function limbsOf(side) {
  const {peaks, limbs} = decoderOf(side), lowest = parameter(side, data.words.threshold) ?? 0;
  return limbs.filter(([, parent, child]) => peaks[parent][3] > lowest && peaks[child][3] > lowest);
}

// Both ends of a limb in one pose: that pose.
function ownerOf(side, [, parent, child], poses) {
  const {peaks} = decoderOf(side);
  return poses.find(pose => isAt(pose, peaks[parent]) && isAt(pose, peaks[child])) ?? null;
}

// What belongs to the person who is seen alone.
const concerns = (fate, index) => state.person === null
  ? state.candidate === null || state.candidate === index
  : fate.pose === state.person || state.candidate === index;
