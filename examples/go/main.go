// Command hello answers with a page from a file beside it.
package main

import (
	"context"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	page := template.Must(template.ParseFiles("templates/index.html"))
	routes := http.NewServeMux()
	routes.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		if err := page.Execute(answer, runtime.Version()); err != nil {
			log.Print(err)
		}
	})
	routes.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(answer, "ok")
	})
	server := &http.Server{Addr: ":" + os.Getenv("PORT"), Handler: routes, ReadHeaderTimeout: 10 * time.Second}

	ending, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		<-ending.Done()
		ended <- server.Shutdown(context.Background())
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	// ListenAndServe returns at once; what was begun is answered when Shutdown does.
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
}
