/** The unit for several Patronis on one host: `patroniglue@NAME` reads /etc/patroniglue/NAME.yml. Made from the other unit. */
export function templateUnit(unit: string): string {
  const head = `# /etc/systemd/system/patroniglue@.service: one patroniglue for each Patroni of a host
#
#   cp config.yml.example /etc/patroniglue/main.yml      (give each its own frontend.port and backend.port)
#   systemctl enable --now patroniglue@main
`;
  const body = unit
    .slice(unit.indexOf('[Unit]'))
    .replace(/^(Description=.*)$/m, '$1 %i')
    .replaceAll('/etc/patroniglue/config.yml', '/etc/patroniglue/%i.yml')
    .replaceAll('/run/credentials/patroniglue.service/', '/run/credentials/patroniglue@%i.service/')
    .replaceAll(' in config.yml.', ' in %i.yml.');
  return head + body;
}
