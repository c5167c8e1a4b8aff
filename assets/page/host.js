// What the page gives to its scripts: `element`, `props`, `watch` and `trigger` of Gradio's component, and WORDS of
// mgld/ui/words.py. mgld/ui/script.py joins the modules into the one function body that Gradio runs for every component and
// leaves this file out, for there these names are that function's own.
export const { element, props, watch, trigger, WORDS } = globalThis.mgld;
