#define _GNU_SOURCE
#include "guests.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int nc_spawn(char *const *argv, char *const *envp, const char *folder, const int *descriptors, int count, pid_t *pid) {
  // Above all that they become, so that none is overwritten before it was copied.
  int held[16];
  if (count > 16) return EINVAL;
  int opened = 0, code = 0;
  for (; opened < count; opened++) {
    held[opened] = fcntl(descriptors[opened], F_DUPFD_CLOEXEC, 32);
    if (held[opened] < 0) {
      code = errno;
      break;
    }
  }
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  for (int k = 0; k < count && !code; k++) code = posix_spawn_file_actions_adddup2(&actions, held[k], k);
  if (folder && !code) code = posix_spawn_file_actions_addchdir_np(&actions, folder);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (!code) code = posix_spawnattr_setpgroup(&attributes, 0);
  if (!code) code = posix_spawnattr_setsigmask(&attributes, &none);
  if (!code) code = posix_spawnattr_setsigdefault(&attributes, &all);
  if (!code) code = posix_spawnattr_setflags(&attributes, flags);
  if (!code) code = posix_spawn(pid, argv[0], &actions, &attributes, argv, envp);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  for (int k = 0; k < opened; k++) close(held[k]);
  return code;
}

static int64_t milliseconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Reads once; 0 where there is no more now, -1 at the end.
static int read_tail(int said, nc_tail *tail) {
  char piece[NC_TAIL];
  ssize_t n = read(said, piece, sizeof piece);
  if (n < 0) return errno == EINTR || errno == EAGAIN ? 0 : -1;
  if (n == 0) return -1;
  if (tail->used + n > NC_TAIL) {
    int64_t kept = NC_TAIL - n < tail->used ? NC_TAIL - n : tail->used;
    memmove(tail->bytes, tail->bytes + tail->used - kept, (size_t)kept);
    tail->used = kept;
  }
  memcpy(tail->bytes + tail->used, piece, (size_t)n);
  tail->used += n;
  return 1;
}

void nc_drain(int said, nc_tail *tail) {
  // What goes on writing for ever is not read for ever.
  for (int k = 0; k < 1024 && said >= 0 && read_tail(said, tail) > 0; k++) {}
}

int nc_wait(pid_t pid, int64_t milliseconds, int said, nc_tail *tail, int *status) {
  int64_t end = milliseconds < 0 ? INT64_MAX : milliseconds_now() + milliseconds;
  int pause = 1;
  for (;;) {
    pid_t done = waitpid(pid, status, WNOHANG);
    if (done == pid) {
      nc_drain(said, tail);
      return 1;
    }
    if (done < 0 && errno != EINTR) return -1;
    if (milliseconds_now() >= end) return 0;
    // Short calls are not to wait long, and long ones are not to be asked often.
    struct pollfd waiting = {.fd = said, .events = POLLIN};
    int ready = poll(&waiting, 1, pause);
    if (pause < 16) pause *= 2;
    if (ready > 0 && read_tail(said, tail) < 0) said = -1;
  }
}

int nc_receive(int channel, void *bytes, int64_t length, int64_t milliseconds, int said, nc_tail *tail) {
  int64_t end = milliseconds < 0 ? INT64_MAX : milliseconds_now() + milliseconds;
  for (int64_t done = 0; done < length;) {
    int64_t left = end - milliseconds_now();
    if (left <= 0) return 0;
    struct pollfd waiting[2] = {{.fd = channel, .events = POLLIN}, {.fd = said, .events = POLLIN}};
    int ready = poll(waiting, 2, left > 1000 ? 1000 : (int)left);
    if (ready < 0 && errno != EINTR) return -1;
    if (ready <= 0) continue;
    if (waiting[1].revents && read_tail(said, tail) < 0) said = -1;
    if (!waiting[0].revents) continue;
    ssize_t n = read(channel, (char *)bytes + done, (size_t)(length - done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      nc_drain(said, tail);
      return -1;
    }
    done += n;
  }
  return 1;
}

int nc_send(int channel, const void *bytes, int64_t length) {
#ifdef MSG_NOSIGNAL
  const int flags = MSG_NOSIGNAL;
#else
  const int flags = 0;
#endif
  for (int64_t done = 0; done < length;) {
    ssize_t n = send(channel, (const char *)bytes + done, (size_t)(length - done), flags);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    done += n;
  }
  return 1;
}

static int closed_on_exec(int ends[2]) {
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  return 0;
}

int nc_pipe(int ends[2]) {
  if (pipe(ends) != 0) return errno;
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return closed_on_exec(ends);
}

int nc_channel(int ends[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return errno;
#ifdef SO_NOSIGPIPE
  int yes = 1;
  setsockopt(ends[0], SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes);
#endif
  return closed_on_exec(ends);
}

void nc_kill_group(pid_t pid) {
  kill(-pid, SIGKILL);
  kill(pid, SIGKILL);
  int status;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
}

int nc_ending(int status) { return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status); }

int nc_anonymous_memory(int64_t length) {
  int descriptor;
#ifdef __linux__
  descriptor = memfd_create("numcheck", MFD_CLOEXEC);
#else
  char name[64];
  snprintf(name, sizeof name, "/numcheck-%d-%lld", (int)getpid(), (long long)milliseconds_now());
  descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (descriptor >= 0) {
    shm_unlink(name);
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
#endif
  if (descriptor >= 0 && ftruncate(descriptor, length) != 0) {
    int code = errno;
    close(descriptor);
    errno = code;
    return -1;
  }
  return descriptor;
}

void *nc_map_shared(int descriptor, int64_t length) {
  void *base = mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  return base == MAP_FAILED ? NULL : base;
}

void nc_fill(void *memory, int64_t length, int64_t start, int64_t width, uint64_t code) {
  unsigned char *bytes = memory;
  for (int64_t k = 0; k < length; k++) {
    int64_t byte = ((k - start) % width + width) % width;
    bytes[k] = (unsigned char)(code >> (8 * byte));
  }
}

int64_t nc_first_difference(const void *a, const void *b, int64_t from, int64_t to) {
  const unsigned char *x = a, *y = b;
  if (from >= to || memcmp(x + from, y + from, (size_t)(to - from)) == 0) return to;
  while (x[from] == y[from]) from++;
  return from;
}

extern char **environ;
char **nc_environment(void) { return environ; }

int64_t nc_page(void) { return sysconf(_SC_PAGESIZE); }
