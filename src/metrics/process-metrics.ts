import { readdirSync } from 'node:fs';
import { Counter, Gauge, type Registry } from 'prom-client';

/**
 * What Prometheus' client libraries tell of every process, by their names. Not prom-client's own collection of defaults: one
 * of its gauges is named `_total`, which promtool complains of, and the rest is of Node's insides.
 */
export function registerProcess(registry: Registry): void {
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
      this.set(countOpenFiles());
    },
  });
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the process started, by the wall clock.',
    registers,
  }).set(new Date().getTime() / 1000 - process.uptime());
}

function countOpenFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return NaN;
  }
}
