#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Processes that run what others wrote, and the way calls reach a library in one. In C for what Swift has no hands on: spawning into a
/// group of its own, and a loop between two processes over one piece of memory.

/// Most arrays, parameters and guard pages of a call; most axes of an array; longest name.
#define NC_WIRE_ARRAYS 16
#define NC_WIRE_PARAMETERS 32
#define NC_WIRE_GUARDS 64
#define NC_WIRE_AXES 8
#define NC_WIRE_NAME 48

/// A call as it lies at the beginning of the shared memory; offsets count from there.
typedef struct {
  char name[NC_WIRE_NAME];
  int64_t dtype, rank, offset;
  int64_t shape[NC_WIRE_AXES], strides[NC_WIRE_AXES];
} nc_wire_array;
typedef struct {
  char operation[NC_WIRE_NAME];
  int64_t input_count, result_count, parameter_count, guard_count;
  nc_wire_array arrays[NC_WIRE_ARRAYS];
  struct { char name[NC_WIRE_NAME]; double value; } parameters[NC_WIRE_PARAMETERS];
  struct { int64_t offset, length; } guards[NC_WIRE_GUARDS];
} nc_wire_call;

/// Fills a call in; 0 where there is no room.
void nc_wire_clear(nc_wire_call *call, const char *operation);
int nc_wire_add_array(nc_wire_call *call, int is_result, const char *name, int64_t dtype, int64_t rank, int64_t offset,
                      const int64_t *shape, const int64_t *strides);
int nc_wire_add_parameter(nc_wire_call *call, const char *name, double value);
int nc_wire_add_guard(nc_wire_call *call, int64_t offset, int64_t length);

/// What goes through the pipes. A request: how long the memory is now, and whether to look at it from another address.
typedef struct { int64_t length, is_fresh; } nc_wire_request;
/// An answer; `state` is one of these, `place` the byte of the memory that was touched and must not be.
typedef struct { int32_t state, code; int64_t place; } nc_wire_answer;
enum { NC_WIRE_LOADED = 1, NC_WIRE_RETURNED = 2, NC_WIRE_NO_LIBRARY = 3, NC_WIRE_NO_KERNEL = 4, NC_WIRE_OTHER_ABI = 5,
       NC_WIRE_NO_MEMORY = 6, NC_WIRE_TOUCHED = 7 };
/// The descriptors that the process of a library finds: the shared memory, and the channel of requests and answers.
enum { NC_WIRE_MEMORY = 3, NC_WIRE_CHANNEL = 4 };

/// The process of a library: loads it and answers requests until there are none. Returns an exit status.
int nc_serve_library(const char *path);

/// Starts `argv` in a process group of its own, in `folder` (null for this one), with the environment `envp`, signals as by default.
/// `descriptors[k]` becomes descriptor k of it, and no others are handed on. Returns 0 and sets `*pid`, or an error number.
int nc_spawn(char *const *argv, char *const *envp, const char *folder, const int *descriptors, int count, pid_t *pid);

/// The last of what a process wrote; `used` bytes of it.
#define NC_TAIL 4000
typedef struct { char bytes[NC_TAIL]; int64_t used; } nc_tail;

/// Waits at most `milliseconds` (-1: for ever) for the process to end, and reads what it writes to the pipe `said` meanwhile. Returns 1
/// and its wait status, 0 where it has not ended, -1 for an error.
int nc_wait(pid_t pid, int64_t milliseconds, int said, nc_tail *tail, int *status);

/// Reads `length` bytes from a channel within `milliseconds`, and what comes through the pipe `said` meanwhile. Returns 1; 0 where they
/// do not come in time; -1 where the other end is closed.
int nc_receive(int channel, void *bytes, int64_t length, int64_t milliseconds, int said, nc_tail *tail);
/// Reads what is in the pipe `said` without waiting.
void nc_drain(int said, nc_tail *tail);
/// Writes all of it to a channel; 0 where the other end is closed. No signal is raised then.
int nc_send(int channel, const void *bytes, int64_t length);

/// A pipe whose reading end does not wait, or a channel of two ends; neither is handed on. 0, or an error number.
int nc_pipe(int ends[2]);
int nc_channel(int ends[2]);

/// Kills the group of `pid`, and takes the process's end.
void nc_kill_group(pid_t pid);

/// How a wait status ended: an exit status, or 256 plus the number of a signal.
int nc_ending(int status);

/// A new file without a name, of `length` bytes; -1 and errno where there is none.
int nc_anonymous_memory(int64_t length);
/// Maps the first `length` bytes of it, shared; null and errno where that fails.
void *nc_map_shared(int descriptor, int64_t length);

/// Fills `length` bytes with elements of `width` bytes, counted from byte `start`.
void nc_fill(void *memory, int64_t length, int64_t start, int64_t width, uint64_t code);
/// The first byte of a range at which two memories differ; its end where there is none.
int64_t nc_first_difference(const void *a, const void *b, int64_t from, int64_t to);
/// A page's bytes.
int64_t nc_page(void);
/// This process's environment.
char **nc_environment(void);
