/** Light, dark, or as the system has it; kept for the next visit. */
import { button } from './dom.js';

const THEMES = ['auto', 'light', 'dark'] as const;
const KEY = 'dcomp-theme';

export function listenToTheme(): void {
  const control = button('theme');
  let theme = THEMES.find((each) => each === kept()) ?? 'auto';
  const set = (): void => {
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    control.textContent = { auto: 'Auto', light: 'Light', dark: 'Dark' }[theme];
    control.setAttribute(
      'aria-label',
      `Colours: ${{ auto: 'as the system has them', light: 'light', dark: 'dark' }[theme]}`,
    );
  };
  control.addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Where nothing may be kept, it holds for this visit.
    }
    set();
  });
  set();
}

function kept(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
