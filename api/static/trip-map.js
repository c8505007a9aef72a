// The trip on the map library, over our own roads. Without WebGL or on any error the server's drawing stays.
(() => {
  "use strict";
  const frame = document.querySelector("[data-trip-map]");
  if (!frame || !window.maplibregl || !hasWebGl()) return;

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  Promise.all([load(frame.dataset.track), load(frame.dataset.roads)]).then(show).catch((error) => {
    console.warn("The interactive map stays off: " + error.message);
  });

  function hasWebGl() {
    try {
      return Boolean(document.createElement("canvas").getContext("webgl2"));
    } catch {
      return false;
    }
  }

  async function load(address) {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(address + " answered " + answer.status);
    return answer.json();
  }

  function show([track, roads]) {
    if (!track.bbox) return;
    const canvas = document.createElement("div");
    canvas.className = "canvas";
    frame.append(canvas);
    const map = new maplibregl.Map({
      container: canvas,
      style: style(track, roads),
      bounds: track.bbox,
      fitBoundsOptions: { padding: 8 },
      attributionControl: false,
      cooperativeGestures: true,
      dragRotate: false,
      pitchWithRotate: false,
      fadeDuration: still.matches ? 0 : 150,
    });
    map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
    map.once("load", () => {
      for (const feature of track.features) if (feature.properties.kind === "event") mark(map, feature);
      ends(map, track);
      frame.classList.add("live");
    });
    dark.addEventListener("change", () => map.setStyle(style(track, roads)));
  }

  function style(track, roads) {
    const width = (thin, wide) => ["interpolate", ["exponential", 1.5], ["zoom"], 10, thin, 18, wide];
    const main = ["in", ["get", "class"], ["literal", ["motorway", "trunk", "primary", "secondary"]]];
    const path = ["==", ["get", "kind"], "path"];
    const round = { "line-cap": "round", "line-join": "round" };
    const roadWidth = (more) => [
      "interpolate", ["exponential", 1.5], ["zoom"],
      10, ["match", ["get", "class"], ["motorway", "trunk"], 2.4 + more, ["primary", "secondary"], 1.6 + more, 0.5 + more / 2],
      18, ["match", ["get", "class"], ["motorway", "trunk"], 22 + more, ["primary", "secondary"], 17 + more, "service", 6 + more, 11 + more],
    ];
    return {
      version: 8,
      sources: {
        roads: { type: "geojson", data: roads },
        track: { type: "geojson", data: track },
      },
      layers: [
        { id: "land", type: "background", paint: { "background-color": colour("--map-land") } },
        { id: "road-edges", type: "line", source: "roads", layout: round, paint: { "line-color": colour("--map-edge"), "line-width": roadWidth(1.4) } },
        { id: "roads", type: "line", source: "roads", layout: round, filter: ["!", main], paint: { "line-color": colour("--map-road"), "line-width": roadWidth(0) } },
        { id: "main-roads", type: "line", source: "roads", layout: round, filter: main, paint: { "line-color": colour("--map-main"), "line-width": roadWidth(0) } },
        { id: "path-edge", type: "line", source: "track", filter: path, layout: round, paint: { "line-color": colour("--sheet"), "line-width": width(6, 14) } },
        {
          id: "path", type: "line", source: "track", filter: path, layout: round,
          paint: {
            "line-width": width(3.6, 9),
            "line-color": ["match", ["get", "band"],
              "within", colour("--within"),
              "over_0_10", colour("--over-0-10"),
              "over_10_20", colour("--over-10-20"),
              "over_20", colour("--over-20"),
              colour("--unknown")],
          },
        },
      ],
    };
  }

  function mark(map, feature) {
    const { number, title, detail } = feature.properties;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "map-event";
    button.textContent = number;
    button.setAttribute("aria-label", frame.dataset.event + " " + number + ": " + title);
    const text = document.createElement("div");
    text.className = "map-popup";
    const head = document.createElement("strong");
    head.textContent = title;
    text.append(head, detail);
    const popup = new maplibregl.Popup({ offset: 16, maxWidth: "16rem" }).setDOMContent(text);
    new maplibregl.Marker({ element: button }).setLngLat(feature.geometry.coordinates).setPopup(popup).addTo(map);
  }

  function ends(map, track) {
    const lines = track.features.filter((feature) => feature.properties.kind === "path");
    if (!lines.length) return;
    const last = lines[lines.length - 1].geometry.coordinates;
    const names = frame.dataset.ends.split("|");
    for (const [index, place] of [lines[0].geometry.coordinates[0], last[last.length - 1]].entries()) {
      const dot = document.createElement("span");
      dot.className = index === 0 ? "map-end start" : "map-end";
      dot.title = names[index];
      dot.setAttribute("role", "img");
      new maplibregl.Marker({ element: dot }).setLngLat(place).addTo(map);
    }
  }
})();
