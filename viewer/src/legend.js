// The key below the shapes: a sentence, colour bars, swatches.

function element(kind, className, text) {
  const made = document.createElement(kind);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// legend: {note, bars: [{low, high, colours}], swatches: [{colour, name}]}
export function showLegend(box, legend) {
  box.replaceChildren();
  for (const { low, high, colours } of legend.bars) {
    const bar = element("span", "bar");
    const strip = element("i", "strip");
    strip.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
    bar.append(element("span", "end", low), strip, element("span", "end", high));
    box.append(bar);
  }
  for (const { colour, name } of legend.swatches) {
    const swatch = element("span", "swatch");
    const chip = element("i", "chip");
    chip.style.background = colour;
    swatch.append(chip, element("span", "end", name));
    box.append(swatch);
  }
  box.append(element("p", "note", legend.note));
}
