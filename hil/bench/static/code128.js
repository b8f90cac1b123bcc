// Code 128 as bars, so that the codes on the page can be read by a real scanner. Source: ISO/IEC 15417, table 1.

// Widths of bar, space, bar … for the values 0 … 105, then the stop character.
const WIDTHS = ("212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 "
  + "113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 "
  + "212123 212321 232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 "
  + "113123 113321 133121 313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 "
  + "314111 221411 431111 111224 111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 "
  + "241211 221114 413111 241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 "
  + "214121 412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412 211214 "
  + "211232 "
  + "233111").trim().split(" ");
const START_B = 104;
const START_C = 105;
const QUIET = 10;

function values(text) {
  if (/^(\d\d)+$/.test(text)) return [START_C, ...text.match(/../g).map(Number)];
  return [START_B, ...[...text].map((character) => character.charCodeAt(0) - 32)];
}

// Returns an SVG element, one unit a module.
export function barcode(text) {
  const data = values(text);
  const check = data.reduce((sum, value, index) => sum + value * Math.max(index, 1), 0) % 103;
  const widths = [...data, check].map((value) => WIDTHS[value]).join("") + WIDTHS.at(-1);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  let x = QUIET;
  let path = "";
  [...widths].forEach((width, index) => {
    if (index % 2 === 0) path += `M${x} 0h${width}v30h-${width}z`;
    x += Number(width);
  });
  svg.setAttribute("viewBox", `0 0 ${x + QUIET} 30`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const bars = document.createElementNS(svg.namespaceURI, "path");
  bars.setAttribute("d", path);
  svg.append(bars);
  return svg;
}
