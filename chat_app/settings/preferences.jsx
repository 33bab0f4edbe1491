// The preferences of this browser: theme, density, send key, language.

import { useContext } from "react";
import { ColorModeContext } from "$/utils/context-registry";
import { chooseLanguage, useLanguage, useWords } from "../i18n/words.js";
import { setPreference, usePreference } from "../ui/preference_store.js";

/**
 * @param {{
 *   name: string,
 *   legend: string,
 *   value: string,
 *   options: string[][],
 *   onChoose: (value: string) => void,
 * }} props
 */
function Segments({ name, legend, value, options, onChoose }) {
  return (
    <fieldset className="segments" data-testid={`choose-${name}`}>
      <legend>{legend}</legend>
      <div>
        {options.map(([key, label]) => (
          <label key={key}>
            <input
              type="radio"
              name={name}
              value={key}
              checked={value === key}
              onChange={() => onChoose(key)}
            />
            <span>{label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** @param {{ languages: [code: string, name: string][] }} props */
export function Preferences({ languages }) {
  const say = useWords();
  const { rawColorMode, setColorMode } = useContext(ColorModeContext);
  const language = useLanguage();
  const density = usePreference("density");
  const send = usePreference("send");
  const modes = [
    ["system", say("settings.theme_system")],
    ["light", say("settings.theme_light")],
    ["dark", say("settings.theme_dark")],
  ];
  const densities = [
    ["comfortable", say("settings.comfortable")],
    ["compact", say("settings.compact")],
  ];
  const keys = [
    ["enter", say("settings.send_enter")],
    ["ctrl-enter", say("settings.send_ctrl")],
  ];
  return (
    <div className="preferences">
      <Segments
        name="theme"
        legend={say("settings.theme")}
        value={rawColorMode}
        options={modes}
        onChoose={setColorMode}
      />
      <Segments
        name="density"
        legend={say("settings.density")}
        value={density}
        options={densities}
        onChoose={(to) => setPreference("density", to)}
      />
      <Segments
        name="send"
        legend={say("settings.send")}
        value={send}
        options={keys}
        onChoose={(to) => setPreference("send", to)}
      />
      <label className="field">
        {say("settings.language")}
        <select
          value={language}
          onChange={(event) => chooseLanguage(event.target.value)}
          data-testid="choose-language"
        >
          {languages.map(([code, name]) => (
            <option key={code} value={code} lang={code}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
