// Light, dark or as the system says. A plain script, run before the first paint so that nothing flashes.
(() => {
  const root = document.documentElement;
  const read = () => {
    try {
      return localStorage.getItem("voltscope-theme") || "system";
    } catch {
      return "system"; // storage may be blocked
    }
  };
  const apply = (theme) => {
    if (theme === "system") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
  };
  window.voltscopeTheme = {
    current: read,
    next() {
      const order = ["system", "light", "dark"];
      const theme = order[(order.indexOf(read()) + 1) % order.length];
      try {
        localStorage.setItem("voltscope-theme", theme);
      } catch {
        // then it lasts as long as the page
      }
      apply(theme);
      return theme;
    },
  };
  apply(read());
})();
