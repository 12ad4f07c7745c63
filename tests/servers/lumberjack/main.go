// A Beats input for the tests: writes the events it receives into a file, a JSON document a line, and only then
// acknowledges them.
//
//	lumberjack -out FILE [-listen ADDRESS] [-cert FILE -key FILE [-ca FILE]] [-pause DURATION]
//
// It prints its address when it listens.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	v2 "github.com/elastic/go-lumber/server/v2"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	out := flag.String("out", "", "file the events are appended to")
	cert := flag.String("cert", "", "PEM certificate; TLS when given")
	key := flag.String("key", "", "PEM key of the certificate")
	ca := flag.String("ca", "", "PEM authorities; clients need a certificate of one of them when given")
	pause := flag.Duration("pause", 0, "between writing a batch and acknowledging it")
	flag.Parse()

	file, err := os.OpenFile(*out, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	check(err)
	// numbers stay as they are: a sequence is no floating point number
	options := []v2.Option{v2.Keepalive(200 * time.Millisecond), v2.JSONDecoder(func(data []byte, into interface{}) error {
		*into.(*interface{}) = json.RawMessage(append([]byte(nil), data...))
		return nil
	})}
	listener, err := net.Listen("tcp", *listen)
	check(err)
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		check(err)
		config := &tls.Config{Certificates: []tls.Certificate{pair}}
		if *ca != "" {
			authorities, err := os.ReadFile(*ca)
			check(err)
			config.ClientCAs = x509.NewCertPool()
			config.ClientCAs.AppendCertsFromPEM(authorities)
			config.ClientAuth = tls.RequireAndVerifyClientCert
		}
		listener = tls.NewListener(listener, config)
	}
	server, err := v2.NewWithListener(listener, options...)
	check(err)
	fmt.Println(listener.Addr())
	for batch := range server.ReceiveChan() {
		for _, event := range batch.Events {
			_, err := file.Write(append(event.(json.RawMessage), '\n'))
			check(err)
		}
		time.Sleep(*pause)
		batch.ACK()
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
