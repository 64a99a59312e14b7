import { Counter, Gauge, type Registry } from 'prom-client';

/**
 * The process metrics that all Prometheus client libraries have, under the same names. prom-client's own default metrics are
 * not used: one of its gauges is named `_total`, to which promtool objects, and most others are about the inside of Node.
 */
export function registerProcess(registry: Registry, openFiles: () => number | undefined): void {
  const registers = [registry];
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time spent, in user space and in the kernel.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: 'process_open_fds',
    help: 'Open file descriptors.',
    registers,
    collect() {
      this.set(openFiles() ?? NaN);
    },
  });
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the process started, by the wall clock.',
    registers,
  }).set(new Date().getTime() / 1000 - process.uptime());
}
