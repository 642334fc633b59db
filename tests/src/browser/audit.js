// What is wrong with the page, a line each: what a reader of screens needs, colours that can't be told
// apart (WCAG 2.2: 1.3.1, 1.4.3, 1.4.10, 2.5.8, 3.1.1, 3.3.2, 4.1.2), and what a phone has no place for.
const wrong = [];
const all = (selector) => [...document.querySelectorAll(selector)];
const named = (element) => element.tagName.toLowerCase() + (element.name ? " " + element.name : "")
    + (element.id ? " #" + element.id : "");
const isSeen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    && element.getClientRects().length > 0;

if (!document.documentElement.lang) wrong.push("no language");
if (!document.title.trim()) wrong.push("no title");
if (!document.querySelector("meta[name=viewport]")) wrong.push("no viewport");

const headings = all("h1, h2, h3, h4, h5, h6").filter(isSeen);
const first = headings.filter((heading) => heading.tagName === "H1").length;
if (first !== 1) wrong.push(`${first} headings of the first level`);
headings.reduce((before, heading) => {
    const level = Number(heading.tagName[1]);
    if (before && level > before + 1) wrong.push(`h${level} follows h${before}`);
    return level;
}, 0);

const hasName = (element) => element.ariaLabel || element.labels?.length
    || (element.getAttribute("aria-labelledby") && document.getElementById(element.getAttribute("aria-labelledby")));
for (const field of all("input:not([type=hidden]), select, textarea").filter(isSeen)) {
    if (!hasName(field)) wrong.push(`no label: ${named(field)}`);
}
for (const pressed of all("button, a[href], summary").filter(isSeen)) {
    const said = pressed.innerText.trim() || pressed.ariaLabel || pressed.querySelector("img[alt]:not([alt=''])");
    if (!said) wrong.push(`no name: ${named(pressed)}`);
}
for (const image of all("img:not([alt])")) wrong.push(`no words for it: ${named(image)}`);
const ids = all("[id]").map((element) => element.id);
for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) wrong.push(`the id ${id} twice`);
for (const pressed of all("button, input:not([type=hidden]), select, textarea").filter(isSeen)) {
    const { width, height } = pressed.getBoundingClientRect();
    const isInLabel = pressed.type === "checkbox" || pressed.type === "radio";
    if (!isInLabel && (width < 24 || height < 24)) wrong.push(`too small to press: ${named(pressed)}`);
}

// The colour under a text is that of the first background which covers; what is clear lets the next through.
const parse = (text) => {
    const parts = text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    return parts.length > 3 ? parts : [...parts, 1];
};
const over = ([r, g, b, a], under) => [r, g, b].map((part, at) => part * a + under[at] * (1 - a));
const canvas = matchMedia("(prefers-color-scheme: dark)").matches
    && getComputedStyle(document.documentElement).colorScheme.includes("dark") ? [18, 18, 18] : [255, 255, 255];
const ground = (element) => {
    if (!element) return canvas;
    const colour = parse(getComputedStyle(element).backgroundColor);
    return colour[3] === 1 ? colour : over(colour, ground(element.parentElement));
};
const light = (colour) => {
    const [r, g, b] = colour.map((part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const told = new Set();
while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !isSeen(element) || element.closest("[disabled], script, style")) continue;
    const style = getComputedStyle(element);
    const under = ground(element);
    const [a, b] = [light(over(parse(style.color), under)), light(under)].sort((a, b) => b - a);
    const contrast = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const words = `contrast of ${contrast.toFixed(1)}: ${named(element)} "${texts.currentNode.data.trim().slice(0, 30)}"`;
    if (contrast < (isLarge ? 3 : 4.5) && !told.has(element.tagName + style.color)) {
        told.add(element.tagName + style.color);
        wrong.push(words);
    }
}

const { scrollWidth, clientWidth } = document.documentElement;
if (Math.max(scrollWidth, document.body.scrollWidth) > clientWidth) {
    const wide = all("body *").filter((element) => isSeen(element) && element.getBoundingClientRect().right > clientWidth + 1);
    wrong.push(`wider than the window by ${scrollWidth - clientWidth}: ${wide.slice(0, 3).map(named).join(", ")}`);
}
return wrong;
