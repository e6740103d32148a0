#define _GNU_SOURCE
#include "unfinished.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Nobody writes more files at once.
#define SLOTS 64
static char *_Atomic slots[SLOTS];
// Threads between nc_files_begin and nc_files_end.
static atomic_int busy;
static atomic_bool ending;

void nc_files_begin(sigset_t *mask) {
  sigset_t all;
  sigfillset(&all);
  // What a fault of this thread raises cannot wait.
  const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
  for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) sigdelset(&all, faults[k]);
  pthread_sigmask(SIG_BLOCK, &all, mask);
  atomic_fetch_add(&busy, 1);
  if (atomic_load(&ending)) {
    atomic_fetch_sub(&busy, 1);
    for (;;) pause();
  }
}

void nc_files_end(const sigset_t *mask) {
  atomic_fetch_sub(&busy, 1);
  pthread_sigmask(SIG_SETMASK, mask, NULL);
}

int nc_unfinished_add(const char *path) {
  char *copy = strdup(path);
  if (!copy) return 0;
  for (int k = 0; k < SLOTS; k++) {
    char *none = NULL;
    if (atomic_compare_exchange_strong(&slots[k], &none, copy)) return 1;
  }
  free(copy);
  return 0;
}

void nc_unfinished_forget(const char *path) {
  for (int k = 0; k < SLOTS; k++) {
    char *held = atomic_load(&slots[k]);
    if (held && strcmp(held, path) == 0 && atomic_compare_exchange_strong(&slots[k], &held, NULL)) free(held);
  }
}

int nc_nameless_open(const char *folder, mode_t mode) {
#ifdef O_TMPFILE
  // Without it the file could never be named.
  if (access("/proc/self/fd", X_OK) != 0) return -1;
  return open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
#else
  (void)folder;
  (void)mode;
  return -1;
#endif
}

int nc_nameless_link(int descriptor, const char *path) {
  char from[64];
  snprintf(from, sizeof from, "/proc/self/fd/%d", descriptor);
  return linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

// The groups of processes that this one started.
static _Atomic pid_t groups[SLOTS];

// Whether what is started now comes too late.
static atomic_bool closed;

int nc_group_add(pid_t leader) {
  int has_room = 0;
  for (int k = 0; k < SLOTS && !has_room; k++) {
    pid_t none = 0;
    has_room = atomic_compare_exchange_strong(&groups[k], &none, leader);
  }
  if (atomic_load(&closed)) kill(-leader, SIGKILL);
  return has_room;
}

void nc_group_forget(pid_t leader) {
  for (int k = 0; k < SLOTS; k++) {
    pid_t held = leader;
    if (atomic_compare_exchange_strong(&groups[k], &held, 0)) return;
  }
}

// Temporary folders, and all that is in them.
static char *_Atomic folders[SLOTS];

int nc_folder_add(const char *path) {
  char *copy = strdup(path);
  if (!copy) return 0;
  for (int k = 0; k < SLOTS; k++) {
    char *none = NULL;
    if (atomic_compare_exchange_strong(&folders[k], &none, copy)) return 1;
  }
  free(copy);
  return 0;
}

void nc_folder_remove(const char *path) {
  pid_t child = fork();
  if (child == 0) {
    execl("/bin/rm", "rm", "-rf", "--", path, (char *)NULL);
    _exit(127);
  }
  int status;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  for (int k = 0; k < SLOTS; k++) {
    char *held = atomic_load(&folders[k]);
    // Not freed: a handler may be reading it.
    if (held && strcmp(held, path) == 0 && atomic_compare_exchange_strong(&folders[k], &held, NULL)) return;
  }
}

// Kills what was started and is not gone, and removes temporary folders: they would outlive this process.
static void end_groups(void) {
  atomic_store(&closed, 1);
  for (int k = 0; k < SLOTS; k++) {
    pid_t leader = atomic_load(&groups[k]);
    if (leader > 0) kill(-leader, SIGKILL);
    char *folder = atomic_load(&folders[k]);
    if (folder) nc_folder_remove(folder);
  }
}

// Whether a line that is no result stands on standard error's terminal.
static atomic_int line_shown;

void nc_line_shown(int shown) { atomic_store(&line_shown, shown); }

// What crash signals did before: a debugger's or the runtime's report.
static struct sigaction earlier[NSIG];

static int is_fault(int number) {
  return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE || number == SIGTRAP ||
         number == SIGABRT || number == SIGSYS;
}

static void end_process(int number, siginfo_t *information, void *context) {
  if (atomic_exchange(&line_shown, 0) && write(2, "\r\033[K", 4) < 0) {
    // Nobody reads it.
  }
  (void)context;
  // Another thread is at it.
  if (atomic_exchange(&ending, 1) && !is_fault(number)) {
    for (;;) pause();
  }
  // A thread that faulted while it was busy does not wait for itself for ever.
  for (int k = 0; k < 1000 && atomic_load(&busy) > 0; k++) poll(NULL, 0, 1);
  end_groups();
  for (int k = 0; k < SLOTS; k++) {
    char *path = atomic_load(&slots[k]);
    if (path) unlink(path);
  }
#ifdef BUS_ADRERR
  if (number == SIGBUS && information->si_code == BUS_ADRERR) {
    static const char line[] = "numcheck: an input was cut short, or its disk failed, while it was read\n";
    ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
    (void)written;
    _exit(2);
  }
#endif
  if (is_fault(number)) {
    sigaction(number, &earlier[number], NULL);
    // The instruction that faulted faults again.
    if (information->si_code > 0) return;
  } else {
    signal(number, SIG_DFL);
  }
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  raise(number);
  pthread_sigmask(SIG_UNBLOCK, &one, NULL);
  _exit(128 + number);
}

void nc_remove_unfinished_on_signals(void) {
  static char stack[1 << 16];
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  stack_t present;
  // A stack that overflows has no room for a handler.
  if (sigaltstack(NULL, &present) == 0 && present.ss_flags & SS_DISABLE) sigaltstack(&alternate, NULL);
  sigset_t handled;
  sigemptyset(&handled);
  for (int number = 1; number < NSIG; number++) {
    switch (number) {
    case SIGKILL: case SIGSTOP: case SIGCONT: case SIGCHLD: case SIGURG: case SIGWINCH: case SIGTSTP: case SIGTTIN:
    case SIGTTOU: case SIGXFSZ:
#ifdef __APPLE__
    case SIGINFO: case SIGIO:
#endif
      continue;
    }
#ifdef SIGRTMIN
    // The C library's own.
    if (number >= 32 && number < SIGRTMIN) continue;
#endif
    struct sigaction before;
    if (sigaction(number, NULL, &before) != 0) continue;
    int handler = before.sa_flags & SA_SIGINFO || before.sa_handler != SIG_DFL;
    if (!(before.sa_flags & SA_SIGINFO) && before.sa_handler == SIG_IGN) continue;
    // The Swift runtime reports crashes, and takes QUIT for one.
    if (handler && !is_fault(number) && number != SIGQUIT) continue;
    earlier[number] = before;
    struct sigaction action = {.sa_sigaction = end_process, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    sigaction(number, &action, NULL);
    sigaddset(&handled, number);
  }
  pthread_sigmask(SIG_UNBLOCK, &handled, NULL);
  atexit(end_groups);
  // A full file is then an error like any other, not the end of the process.
  signal(SIGXFSZ, SIG_IGN);
}

void nc_reserve_standard_descriptors(void) {
  for (int descriptor = 0; descriptor <= 2; descriptor++) {
    if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number: this one.
    int opened = open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY);
    if (opened > descriptor) close(opened);
  }
}
