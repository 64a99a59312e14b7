import type { Config } from '../../config/types.js';
import { messageOf } from '../../errors.js';
import { memberWarning } from '../../streams/member-watch.js';
import { version } from '../../version.js';
import { readHaproxy } from '../haproxy/file.js';
import { tryListenAddresses } from '../live-listen.js';
import { readLiveWitness } from '../live-witness.js';
import { askPatroni } from './ask-patroni.js';
import { askRunningService, findServiceProcess } from './ask-service.js';
import { checkedHosts } from './checked-hosts.js';
import type { Facts, PatroniFacts } from './types.js';
import { within } from './within.js';

/** The longest that the doctor waits for Patroni, then for the witness, and for everything else meanwhile. */
const PATRONI_MS = 5500;
const WITNESS_MS = 3000;
const OTHER_MS = 6000;

/** The longest that it waits before all that for haproxy.cfg, which may be a pipe. */
const HAPROXY_MS = 2000;

/** Looks at everything once, all at the same time, and waits for nothing longer than nine seconds. Never rejects. */
export async function gather(file: string, config: Config, haproxyFile: string | undefined): Promise<Facts> {
  const asked = askBoth(config);
  const signal = AbortSignal.timeout(OTHER_MS);
  const haproxy = await haproxyOf(haproxyFile);
  const [{ patroni, witness }, listen, service, process, hosts] = await Promise.all([
    asked,
    within(OTHER_MS, tryListenAddresses(config), []),
    askRunningService(config),
    within(OTHER_MS, findServiceProcess(config, signal), undefined),
    haproxy === undefined || 'problem' in haproxy ? [] : checkedHosts(config, haproxy),
  ]);
  return {
    ...{ file, config, haproxy, patroni, witness, listen, service, process, hosts, version },
    nowMs: new Date().getTime(), // certificates have dates of the wall clock
  };
}

/** The witness after Patroni: it is compared with what Patroni says. */
async function askBoth(config: Config): Promise<Pick<Facts, 'patroni' | 'witness'>> {
  const late: PatroniFacts = { answers: [], spared: 0, warnings: [] };
  const patroni = await within(PATRONI_MS, askPatroni(config), late);
  const tooLate = { isUsable: false, text: `witness: not usable: no answer within ${WITNESS_MS / 1000} s` };
  const witness = await within(WITNESS_MS, readLiveWitness(config, patroni.answers), tooLate);
  const members = memberWarning(
    patroni.answers.flatMap(({ outcome }) => (outcome.kind === 'answered' ? [outcome.answer] : [])),
  );
  const warnings = [...patroni.warnings, ...(members === undefined ? [] : [members])];
  return { patroni: { ...patroni, warnings }, witness };
}

async function haproxyOf(file: string | undefined): Promise<Facts['haproxy']> {
  if (file === undefined) return undefined;
  try {
    return await within(HAPROXY_MS, readHaproxy(file), { file, problem: `${file} cannot be read in time` });
  } catch (error) {
    return { file, problem: messageOf(error) };
  }
}
