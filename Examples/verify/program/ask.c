// Hands its arguments to a process that has its kernel loaded, and takes over its exit status: ask SOCKET ARGUMENT ...
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  if (argc < 3 || strlen(argv[1]) >= sizeof name.sun_path) {
    fprintf(stderr, "usage: ask SOCKET ARGUMENT ...\n");
    return 2;
  }
  strcpy(name.sun_path, argv[1]);
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  if (s < 0 || connect(s, (struct sockaddr *)&name, sizeof name)) {
    perror(argv[1]);
    return 1;
  }
  for (int i = 2; i < argc; i++) {
    // With the zero at its end.
    const char *text = argv[i];
    for (size_t left = strlen(text) + 1; left > 0;) {
      ssize_t n = write(s, text, left);
      if (n <= 0) return 1;
      text += n;
      left -= (size_t)n;
    }
  }
  shutdown(s, SHUT_WR);
  // A byte of status, then what there is to say.
  unsigned char status = 1;
  if (read(s, &status, 1) != 1) return 1;
  char said[4096];
  for (ssize_t n; (n = read(s, said, sizeof said)) > 0;) fwrite(said, 1, (size_t)n, stderr);
  return status;
}
