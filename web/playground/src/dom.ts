/** Elements without a framework. */

/** What an element is given: attributes, and listeners by `onclick` and the like. */
export type Given = Readonly<Record<string, string | number | boolean | ((event: Event) => void)>>;

type Child = Node | string;

const SVG = "http://www.w3.org/2000/svg";

const fill = <E extends Element>(element: E, given: Given, children: readonly Child[]): E => {
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
};

/** An element of HTML. */
export const h = <Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  given: Given = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] => fill(document.createElement(name), given, children);

/** An element of SVG. */
export const s = <Name extends keyof SVGElementTagNameMap>(
  name: Name,
  given: Given = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[Name] =>
  fill(document.createElementNS(SVG, name) as SVGElementTagNameMap[Name], given, children);

/** Puts a text where another was; one that is the same is left, so that nobody is told twice. */
export const say = (element: Element, text: string): void => {
  if (element.textContent !== text) element.textContent = text;
};

/** Whether somebody asked their system for less motion. */
export const isStill = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** How long a paint is waited for; a page that nobody looks at has none. */
const PAINT_MS_MAX = 300;

/** Settles once the page was painted. */
export const painted = (): Promise<void> =>
  new Promise((done) => {
    requestAnimationFrame(() => setTimeout(done));
    setTimeout(done, PAINT_MS_MAX);
  });

/** Whether a button acts. One that does not stays reachable: whoever has the focus on it keeps it. */
export const isEnabled = (button: Element): boolean => button.ariaDisabled !== "true";

/** Lets a button act, or not. */
export const enable = (button: Element, isTo: boolean): void => {
  button.ariaDisabled = isTo ? null : "true";
};
