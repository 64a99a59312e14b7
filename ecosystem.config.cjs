// pm2 start ecosystem.config.cjs          (PATRONIGLUE_CONFIG names another configuration file)
// pm2 sendSignal SIGHUP patroniglue       reads configuration, certificates and keys again, and loses no check
// pm2 reload ecosystem.config.cjs         is a restart in fork mode: for some tenths of a second checks are refused
const { join } = require('node:path');

module.exports = {
  apps: [
    {
      name: 'patroniglue',
      script: join(__dirname, 'build/bundle/patroniglue.cjs'),
      args: ['--config', process.env.PATRONIGLUE_CONFIG ?? '/etc/patroniglue/config.yml', '--verbose'],
      // One instance, not a cluster: each would poll Patroni for itself, and one answers thousands of checks a second. And
      // in cluster mode every check would go through pm2's own process.
      exec_mode: 'fork',
      instances: 1,
      // Started means listening: patroniglue says so.
      wait_ready: true,
      listen_timeout: 5000,
      // After SIGINT it ends within one second by itself; pm2 kills it after this.
      kill_timeout: 1600,
      // A crash is started again at once, a crash loop ever more slowly.
      exp_backoff_restart_delay: 100,
      max_memory_restart: '300M',
      time: false, // the lines have their time already
    },
  ],
};
